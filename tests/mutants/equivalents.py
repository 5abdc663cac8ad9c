"""Mutants that are known to do what the original does, listed by what they change."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutant import Mutant

_LIST = Path(__file__).with_name("equivalent.toml")


@dataclass(frozen=True, slots=True)
class Equivalent:
    """An entry of the list; it names no path and no line number, so it survives moves.

    Attributes:
        scope: Qualified name of the function or class, empty at module level; of a script, its
            name.
        line: The original line, without the space around it.
        becomes: The mutated lines that do the same; empty if every mutation of the line does.
        reason: Why no test can tell them apart.
    """

    scope: str
    line: str
    becomes: tuple[str, ...]
    reason: str

    def covers(self, mutant: Mutant) -> bool:
        """Say whether the entry is about this mutant."""
        here = (mutant.scope, mutant.before.strip()) == (self.scope, self.line)
        return here and (not self.becomes or _plain(mutant.after) in map(_plain, self.becomes))


def equivalents() -> list[Equivalent]:
    """Return the list."""
    entries = tomllib.loads(_LIST.read_text()).get("mutant", [])
    return [
        Equivalent(each["scope"], each["line"], tuple(each.get("becomes", ())), each["reason"])
        for each in entries
    ]


def is_equivalent(mutant: Mutant, known: Sequence[Equivalent]) -> bool:
    """Say whether any entry is about this mutant."""
    return any(each.covers(mutant) for each in known)


def _plain(line: str) -> str:
    """Return a line without its spaces: a mutation may double some."""
    return "".join(line.split())
