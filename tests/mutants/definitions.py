"""Which definitions of the app use which, by their names.

Coverage sees no line of a compiled kernel, and a constant is read when its module is imported. So a
change of either is followed, from name to name, to the plain functions that coverage does see.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Definition:
    """A function, or what one statement of a module or class sets.

    Attributes:
        path: Of its file, relative to the root.
        name: Of the function, or the name that the statement sets.
        owner: The class around it, or an empty text.
        first: Its first line, counted from 1.
        last: Its last line.
        is_kernel: Whether it is compiled.
        is_function: Whether its lines run when it is called; those of a statement run at import.
        mentions: Lines by the names that appear there.
    """

    path: str
    name: str
    owner: str
    first: int
    last: int
    is_kernel: bool
    is_function: bool
    mentions: dict[str, set[int]] = field(hash=False, compare=False)

    @property
    def is_plain(self) -> bool:
        """Whether coverage sees its lines in the tests that run it."""
        return self.is_function and not self.is_kernel


class Definitions:
    """All definitions of one package.

    Args:
        root: Of the tree.
        package: Name of the package; by default the app.
    """

    def __init__(self, root: Path, package: str = "streamapp") -> None:
        self._all: list[Definition] = []
        for path in sorted((root / package).rglob("*.py")):
            source = path.read_text()
            self._all += _definitions(str(path.relative_to(root)), ast.parse(source))

    def at(self, path: str, line: int) -> Definition | None:
        """Return the smallest definition around a line."""
        around = [each for each in self.of(path) if each.first <= line <= each.last]
        return min(around, key=lambda each: each.last - each.first, default=None)

    def of(self, path: str) -> list[Definition]:
        """Return the definitions of a file."""
        return [each for each in self._all if each.path == path]

    def naming(self, text: str) -> Iterator[tuple[Definition, int]]:
        """Yield the plain functions that hold a text as a literal, with the line of it."""
        for each in self._all:
            if each.is_function:
                for line in each.mentions.get(repr(text), ()):
                    yield each, line

    def files_naming(self, text: str) -> set[str]:
        """Return the files that hold a text as a literal, in a function or outside of one."""
        return {each.path for each in self._all if repr(text) in each.mentions}

    def users(self, changed: Definition) -> list[tuple[Definition, str]]:
        """Return what uses a definition, itself or through others, with the name that it uses.

        The way ends at plain functions: whether they run is for coverage to say.
        """
        found: list[tuple[Definition, str]] = []
        waiting, seen = [changed], {changed}
        while waiting:
            used = waiting.pop()
            for name in filter(None, (used.name, used.owner)):
                for each in self._all:
                    if name in each.mentions and _may_see(each, used.path, name):
                        found.append((each, name))
                        if not each.is_plain and each not in seen:
                            seen.add(each)
                            waiting.append(each)
        return found


def _may_see(user: Definition, path: str, name: str) -> bool:
    """A private name belongs to its file."""
    return user.path == path or not name.startswith("_")


def _definitions(path: str, module: ast.Module) -> Iterator[Definition]:
    yield from _of_body(path, module.body, "")


def _of_body(path: str, body: list[ast.stmt], owner: str) -> Iterator[Definition]:
    for node in body:
        if isinstance(node, Function):
            yield _function(path, node, owner)
        elif isinstance(node, ast.ClassDef):
            yield from _of_body(path, node.body, node.name)
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            mentions = _mentions(node)
            for name in _names_set(node) or [""]:
                yield Definition(
                    path, name, owner, node.lineno, node.end_lineno or node.lineno,
                    is_kernel=False, is_function=False, mentions=mentions,
                )  # fmt: skip


def _function(path: str, node: Function, owner: str) -> Definition:
    decorators = [each.id for each in node.decorator_list if isinstance(each, ast.Name)]
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    is_kernel = any(name.startswith("compiled") for name in decorators)
    return Definition(
        path, node.name, owner, first, node.end_lineno or node.lineno,
        is_kernel=is_kernel, is_function=True, mentions=_mentions(node),
    )  # fmt: skip


def _names_set(node: ast.stmt) -> list[str]:
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return [
        each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)
    ]


def _mentions(node: ast.AST) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            found.setdefault(each.id, set()).add(each.lineno)
        elif isinstance(each, ast.Attribute):
            found.setdefault(each.attr, set()).add(each.lineno)
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            found.setdefault(repr(each.value), set()).add(each.lineno)
    return found
