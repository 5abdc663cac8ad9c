"""What uses a kernel or a constant is found by names, through other kernels."""

from pathlib import Path

import pytest

from tests.mutants.definitions import Definitions

FIRST = """\
_SIZE = 4

@compiled
def inner(a):
    return a + _SIZE

@compiled_aside
def outer(a):
    return inner(a)

class Table:
    width: int = 3

    def fill(self):
        return outer(
            self)
"""
SECOND = """\
from app.first import Table, inner

_SIZE = 5

def plain():
    return inner(_SIZE)

def script():
    return run("put")
"""


@pytest.fixture
def found(tmp_path: Path) -> Definitions:
    """The definitions of two files."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "first.py").write_text(FIRST)
    (tmp_path / "app" / "second.py").write_text(SECOND)
    return Definitions(tmp_path, "app")


def users(found: Definitions, line: int) -> set[tuple[str, str]]:
    """Return what uses the definition on a line of the first file, with the name it uses."""
    changed = found.at("app/first.py", line)
    assert changed is not None
    return {(user.name, name) for user, name in found.users(changed)}


def test_a_kernel_is_used_by_kernels_and_functions(found: Definitions) -> None:
    """And those kernels by others."""
    assert users(found, 5) == {("outer", "inner"), ("plain", "inner"), ("fill", "outer")}


def test_a_private_constant_is_used_in_its_file(found: Definitions) -> None:
    """Another file may have one of that name."""
    assert {("inner", "_SIZE"), ("outer", "inner")} <= users(found, 1)
    assert ("plain", "_SIZE") not in users(found, 1)


def test_kernels_are_told_from_functions_and_statements(found: Definitions) -> None:
    """By their decorators."""
    kinds = {each.name: (each.is_kernel, each.is_plain) for each in found.of("app/first.py")}
    assert kinds == {
        "_SIZE": (False, False), "inner": (True, False), "outer": (True, False),
        "width": (False, False), "fill": (False, True),
    }  # fmt: skip


def test_a_script_is_run_where_its_name_is(found: Definitions) -> None:
    """As a literal."""
    assert [(each.name, line) for each, line in found.naming("put")] == [("script", 9)]


def test_a_file_names_a_script_where_it_holds_the_name(found: Definitions) -> None:
    """In a function or outside of one."""
    assert found.files_naming("put") == {"app/second.py"}
    assert found.files_naming("get") == set()
