"""Limits on jobs: a file has one public class with behaviour, and a class has few attributes."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "streamapp"
FILES = sorted(PACKAGE.rglob("*.py"))

RECORDS = {"NamedTuple", "Struct", "Protocol", "Enum", "StrEnum", "TypedDict"}
"""Bases of classes that only describe data or an interface; such classes may share a file."""

MOST_ATTRIBUTES = 15

LARGER = {"ContentJob": 17, "TrendingJob": 17}
"""Classes with more attributes: jobs that keep the versions of their input and output."""


def is_record(node: ast.ClassDef) -> bool:
    """Return whether a class is data, an interface, an error or a value without methods."""
    bases = {ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in node.bases}
    return (
        bool(bases & RECORDS)
        or any(base.endswith(("Error", "Exception")) for base in bases)
        or any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
        or not (bases or any(not name.startswith("_") for name in methods(node)))
    )


def methods(node: ast.ClassDef) -> list[str]:
    """Return the names of the methods that a class defines."""
    kinds = ast.FunctionDef, ast.AsyncFunctionDef
    return [member.name for member in node.body if isinstance(member, kinds)]


def attributes(node: ast.ClassDef) -> set[str]:
    """Return the attributes that the methods of a class assign to `self`."""
    return {
        found.attr
        for found in ast.walk(node)
        if isinstance(found, ast.Attribute)
        and isinstance(found.ctx, ast.Store)
        and isinstance(found.value, ast.Name)
        and found.value.id == "self"
    }


def classes(path: Path) -> list[ast.ClassDef]:
    """Return the classes of a file that have behaviour."""
    body = ast.parse(path.read_text()).body
    return [node for node in body if isinstance(node, ast.ClassDef) and not is_record(node)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_has_one_public_class_with_behaviour(path: Path) -> None:
    """Records, interfaces and errors may be beside it."""
    public = [node.name for node in classes(path) if not node.name.startswith("_")]
    assert len(public) <= 1, public


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_class_has_few_attributes(path: Path) -> None:
    """A class with more of them has more than one job."""
    counts = {node.name: len(attributes(node)) for node in classes(path)}
    limits = {name: LARGER.get(name, MOST_ATTRIBUTES) for name in counts}
    assert {name: n for name, n in counts.items() if n > limits[name]} == {}


def test_an_exception_from_the_limit_is_needed() -> None:
    """A class that has become smaller needs none."""
    counts = {node.name: len(attributes(node)) for path in FILES for node in classes(path)}
    assert {name: counts.get(name) for name in LARGER} == LARGER
