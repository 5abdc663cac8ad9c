"""The list of equivalent mutants: each entry is about a line that exists, and says why."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutants.equivalents import Equivalent, equivalents
from tests.mutants.mutant import Mutant
from tests.mutants.scopes import scopes
from tests.mutants.targets import groups

PROJECT = Path(__file__).parents[3]
MUTANT = Mutant("core", "a.py", 7, "A.f", "what", "    return 1", "    return  2", "")


def lines() -> set[tuple[str, str]]:
    """Return all lines that can be mutated, with their scopes."""
    found = set()
    for path in [path for group in groups(PROJECT) for path in group.files]:
        source = (PROJECT / path).read_text()
        named = zip(scopes(path, source), source.splitlines(), strict=True)
        found |= {(scope, line.strip()) for scope, line in named}
    return found


def test_every_entry_is_about_a_line_that_exists() -> None:
    """An entry about a line that is gone would hide a mutant of another one some day."""
    there = lines()
    assert [each for each in equivalents() if (each.scope, each.line) not in there] == []


def test_every_entry_has_its_reason() -> None:
    """A reader of the list can check it."""
    assert all(len(each.reason.split()) > 3 for each in equivalents())


def test_every_group_has_files_and_the_shares_are_the_whole() -> None:
    """A glob that names nothing would leave its group out without a word."""
    found = groups(PROJECT)
    assert all(group.files for group in found)
    assert sum(group.share for group in found) == pytest.approx(1.0)
    paths = [path for group in found for path in group.files]
    assert len(paths) == len(set(paths))


@pytest.mark.parametrize("becomes", [(), ("return 2",), ("return 0", "return 2")])
def test_an_entry_covers_what_it_names(becomes: tuple[str, ...]) -> None:
    """By scope and line, whatever the space around it and the number of the line."""
    entry = Equivalent("A.f", "return 1", becomes, "why")
    assert entry.covers(MUTANT)
    assert entry.covers(replace(MUTANT, path="b.py", line=1))


@pytest.mark.parametrize(
    "entry",
    [
        Equivalent("A.g", "return 1", (), "another scope"),
        Equivalent("A.f", "return 3", (), "another line"),
        Equivalent("A.f", "return 1", ("return 0",), "another mutation"),
    ],
)
def test_an_entry_covers_nothing_else(entry: Equivalent) -> None:
    """A mutant that somebody can tell from the original stays in the sample."""
    assert not entry.covers(MUTANT)
