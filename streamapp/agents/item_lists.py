"""Agents. Lists of items as they stand in Redis: read when they are asked for, kept as arrays.

Items have numbers here, which are those of items that some list was asked for or shows.
"""

import time

import msgspec
import numpy as np

from streamapp.agents.outside import Outside
from streamapp.core.arrays import Floats, Ints
from streamapp.core.blending import Neighbours
from streamapp.core.listing import ITEM, TRENDING, decode_scores
from streamapp.core.registry import Registry
from streamapp.errors import StateError

_REMEMBERED = 20_000
"""Lists that are kept as arrays; a list that reads as before is not decoded again."""


class Decoded:
    """A list, with the bytes that it was decoded from.

    Attributes:
        content: The bytes; b"" where there is no list.
        items: int32. Item numbers, best first.
        scores: float64. Of each of them.
        as_of: Newest event time behind it in seconds; minus infinity where there is no list.
        new_at: Monotonic time in seconds; whatever was made before was made of another list.
        read_at: Monotonic time in seconds after which it was last read.
    """

    __slots__ = ("as_of", "content", "items", "new_at", "read_at", "scores")

    def __init__(self, content: bytes, registry: Registry, read_at: float) -> None:
        self.content = content
        self.items: Ints = np.zeros(0, np.int32)
        self.scores: Floats = np.zeros(0)
        self.as_of = -np.inf
        self.new_at = self.read_at = read_at
        if content:
            value = decode_scores(content)
            self.items = registry.number([entry.id for entry in value.items])
            self.scores = np.array([entry.score for entry in value.items], np.float64)
            self.as_of = value.as_of


class ItemLists:
    """The lists of items, and what is trending."""

    def __init__(self, outside: Outside) -> None:
        self._lists = outside.lists
        self.forget()

    def forget(self) -> None:
        """Forget all lists and numbers."""
        self.registry = Registry()
        self._decoded: dict[int, Decoded] = {}
        self._own: Ints = np.zeros(0, np.int32)
        self._trending: Decoded | None = None

    @property
    def full(self) -> bool:
        """Whether so many lists are remembered that it is time to forget them."""
        return len(self._decoded) > _REMEMBERED

    def numbered(self, items: Ints, registry: Registry) -> Ints:
        """Return items that are numbered by `registry` by the numbers that they have here."""
        if len(registry) > len(self._own):
            known = self._own
            self._own = np.full(2 * len(registry), -1, np.int32)
            self._own[: len(known)] = known
        new = np.unique(items[self._own[items] < 0])
        self._own[new] = self.registry.number([registry.ids[number] for number in new.tolist()])
        return self._own[items]

    async def read(self, items: Ints, since: float) -> list[Decoded]:
        """Return the lists of these items; what was read after `since` is not read again.

        Args:
            items: Numbers, each once.
            since: Monotonic time in seconds.
        """
        now = time.monotonic()
        numbers = items.tolist()
        old = [number for number in numbers if not self._is_read(number, since)]
        names = [self.registry.ids[number] for number in old]
        for number, name, content in zip(
            old, names, await self._lists.standing(ITEM, names), strict=True
        ):
            known = self._decoded.get(number)
            if known is None or known.content != content:
                self._decoded[number] = self._decode(ITEM, name, content, now)
            else:
                known.read_at = now
        return [self._decoded[number] for number in numbers]

    async def trending(self, since: float) -> Decoded:
        """Return what is trending; it is not read again if it was after `since`."""
        known, now = self._trending, time.monotonic()
        if known is None or known.read_at <= since:
            (content,) = await self._lists.standing(TRENDING, [""])
            if known is None or known.content != content:
                known = self._decode(TRENDING, "", content, now)
            known.read_at, self._trending = now, known
        return known

    def neighbours(self, items: Ints, lists: list[Decoded]) -> Neighbours:
        """Return the lists of these items as one."""
        row = np.full(len(self.registry), -1, np.int32)
        row[items] = np.arange(len(items), dtype=np.int32)
        return Neighbours(
            row,
            np.cumsum([0, *(len(one.items) for one in lists)]),
            np.concatenate([np.zeros(0, np.int32), *(one.items for one in lists)]),
            np.concatenate([np.zeros(0), *(one.scores for one in lists)]),
        )

    def _is_read(self, number: int, since: float) -> bool:
        known = self._decoded.get(number)
        return known is not None and known.read_at > since

    def _decode(self, kind: str, name: str, content: bytes, now: float) -> Decoded:
        try:
            return Decoded(content, self.registry, now)
        except msgspec.DecodeError as error:
            raise StateError(
                f"redis holds no list under {self._lists.key(kind, name)}: {error}; remove the "
                "key, and keep other programs from writing there"
            ) from None
