"""A mutant, and the places where mutants can be made."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile


@dataclass(frozen=True, slots=True)
class Change:
    """One way to change a file at one place.

    Attributes:
        what: Name of the mutation.
        apply: Returns the text of the whole changed file.
    """

    what: str
    apply: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Point:
    """A place in a file, and all ways to change it.

    Attributes:
        path: Of the file, relative to the root.
        line: Counted from 1.
        column: Counted from 0.
        changes: The mutations that are possible here.
    """

    path: str
    line: int
    column: int
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed file.

    Attributes:
        group: Of the file.
        path: Of the file, relative to the root.
        line: The first line that is changed, counted from 1.
        scope: Qualified name of the function or class around it; of a script, its name.
        what: Name of the mutation.
        before: The changed lines as they were.
        after: The changed lines as they are.
        text: The whole changed file.
    """

    group: str
    path: str
    line: int
    scope: str
    what: str
    before: str
    after: str
    text: str


def difference(source: str, text: str) -> tuple[int, str, str]:
    """Return the first line that differs, counted from 1, and the lines that differ in each."""
    old, new = source.splitlines(), text.splitlines()
    ahead = _equal(old, new)
    rest_old, rest_new = old[ahead:], new[ahead:]
    behind = _equal(rest_old[::-1], rest_new[::-1])
    return (
        ahead + 1,
        "\n".join(rest_old[: len(rest_old) - behind]),
        "\n".join(rest_new[: len(rest_new) - behind]),
    )


def _equal(some: list[str], others: list[str]) -> int:
    pairs = zip(some, others, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
