"""Counts dead letters by source topic and code, and keeps the newest ones."""

import heapq
from dataclasses import dataclass

from streamapp.deadletters.letter import Letter

_MOST_GROUPS = 1_000
"""Most groups that have a line; a worker knows some twenty codes."""

_OTHER = "(other)"

_EXCERPT = 200
"""Bytes that are kept of the key and the value of a newest letter."""


@dataclass(slots=True)
class Group:
    """The letters of one source topic and code.

    Attributes:
        topic: The topic of the records.
        code: The code; `(other)` for the codes beyond the first thousand groups.
        letters: How many there are.
        newest: The newest letter, with an excerpt of its value.
    """

    topic: str
    code: str
    letters: int
    newest: Letter


class Census:
    """Counts letters in a memory that does not grow with their number.

    Args:
        most: How many of the newest letters are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._groups: dict[tuple[str, str], Group] = {}
        self._newest: list[tuple[int, int, Letter]] = []
        self._letters = 0

    @property
    def letters(self) -> int:
        """How many letters were counted."""
        return self._letters

    @property
    def groups(self) -> list[Group]:
        """The groups, the largest first."""
        return sorted(self._groups.values(), key=lambda one: (-one.letters, one.topic, one.code))

    @property
    def newest(self) -> list[Letter]:
        """The newest letters, the newest first, each with an excerpt of its key and value."""
        return [letter for _, _, letter in sorted(self._newest, reverse=True)]

    def add(self, letter: Letter) -> None:
        """Count a letter."""
        self._letters += 1
        name = letter.source.topic, letter.code
        if name not in self._groups and len(self._groups) >= _MOST_GROUPS:
            name = letter.source.topic, _OTHER
        group = self._groups.get(name)
        if group is None:
            self._groups[name] = Group(*name, 1, _excerpt(letter))
        else:
            group.letters += 1
            if letter.made_ms >= group.newest.made_ms:
                group.newest = _excerpt(letter)
        # The number of the letter decides where times are equal, so letters are never compared.
        if len(self._newest) < self._most:
            heapq.heappush(self._newest, (letter.made_ms, self._letters, _excerpt(letter)))
        elif self._newest and (letter.made_ms, self._letters) > self._newest[0][:2]:
            heapq.heapreplace(self._newest, (letter.made_ms, self._letters, _excerpt(letter)))


def _excerpt(letter: Letter) -> Letter:
    key, value = letter.key, letter.value
    return letter._replace(key=key and key[:_EXCERPT], value=value and value[:_EXCERPT], headers=())
