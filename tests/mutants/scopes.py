"""Names of the functions and classes around each line."""

import ast
from pathlib import PurePath


def scopes(path: str, source: str) -> list[str]:
    """Return the qualified name around each line; index 0 is line 1.

    It is empty at module level. A Lua script is one scope, with the name of its file.
    """
    count = len(source.splitlines())
    if not path.endswith(".py"):
        return [PurePath(path).stem] * count
    names = [""] * count
    _fill(names, ast.parse(source), "")
    return names


def _fill(names: list[str], node: ast.AST, prefix: str) -> None:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}.{child.name}" if prefix else child.name
            first = min([child.lineno, *(each.lineno for each in child.decorator_list)])
            last = child.end_lineno or child.lineno
            names[first - 1 : last] = [name] * (last - first + 1)
            _fill(names, child, name)
        else:
            _fill(names, child, prefix)
