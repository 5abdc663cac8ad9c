"""The tests that may notice a mutant: those that run its line, its users, or its script."""

from pathlib import Path

import pytest

from tests.mutants.mutant import Mutant

pytest.importorskip("coverage", reason="`make mutants` installs it")

from coverage import CoverageData

from tests.mutants.reach import Reach

FILES = {
    "streamapp/plain.py": """\
SIZE = 4

def used():
    return SIZE

def at_import():
    return 1

TABLE = at_import()

def reads_table():
    return TABLE
""",
    "streamapp/scripts.py": 'def put(value):\n    return run("put", value)\n',
    "streamapp/shape.py": "@frozen\nclass Shape:\n    size: int\n",
    "streamapp/shapes.py": "def made():\n    return Shape(1)\n",
    "streamapp/lua/guard.lua": "local guard = {}\n",
    "streamapp/lua/put.lua": "return guard.refusal()\n",
    "streamapp/lua/read.lua": "return 1\n",
    "tests/test_direct.py": 'CASES = ["put"]\n\ndef test_direct():\n    pass\n',
    "tests/test_read.py": 'def test_read():\n    run("read")\n',
}
RAN = {
    "tests/test_app.py::test_used": {"streamapp/plain.py": [4]},
    "tests/test_app.py::test_table": {"streamapp/plain.py": [12]},
    "tests/test_app.py::test_put": {"streamapp/scripts.py": [2]},
    "tests/test_app.py::test_shapes": {"streamapp/shapes.py": [2]},
    "tests/test_direct.py::test_direct[a]": {"streamapp/plain.py": [4]},
    "tests/test_read.py::test_read": {"streamapp/plain.py": [4]},
}


@pytest.fixture
def reach(tmp_path: Path) -> Reach:
    """What a run of a small tree saw."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    coverage = CoverageData(no_disk=True)
    for test, lines in RAN.items():
        coverage.set_context(f"{test}|run")
        coverage.add_lines(lines)
    return Reach(tmp_path, coverage)


def names(reach: Reach, path: str, line: int, scope: str = "") -> set[str]:
    """Return the names of the tests that may notice a change of a line."""
    found = reach.tests(Mutant("group", path, line, scope, "what", "before", "after", "text"))
    return {test.partition("::")[2] for test in found}


def test_a_line_is_noticed_by_the_tests_that_run_it(reach: Reach) -> None:
    """A constant is noticed by the tests that run a function that reads it."""
    everyone = {"test_used", "test_direct[a]", "test_read"}
    assert names(reach, "streamapp/plain.py", 4) == everyone
    assert names(reach, "streamapp/plain.py", 1) == everyone


def test_a_function_that_runs_at_import_is_noticed_by_its_users(reach: Reach) -> None:
    """Coverage sees its lines in no test."""
    assert names(reach, "streamapp/plain.py", 7) == {"test_table"}


def test_a_class_without_functions_is_noticed_by_its_users(reach: Reach) -> None:
    """Also a change of its decorator."""
    assert names(reach, "streamapp/shape.py", 1) == {"test_shapes"}
    assert names(reach, "streamapp/shape.py", 3) == {"test_shapes"}


def test_a_script_is_noticed_by_its_callers_and_by_test_files_that_name_it(reach: Reach) -> None:
    """A test may run a script without the function that runs it in the app."""
    assert names(reach, "streamapp/lua/put.lua", 1, "put") == {"test_put", "test_direct[a]"}
    assert names(reach, "streamapp/lua/read.lua", 1, "read") == {"test_read"}


def test_a_part_of_scripts_is_noticed_by_the_tests_of_each(reach: Reach) -> None:
    """The guard is part of every script that uses it."""
    assert names(reach, "streamapp/lua/guard.lua", 1, "guard") == {"test_put", "test_direct[a]"}
