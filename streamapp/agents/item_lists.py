"""Agents. Lists of items as they stand in Redis: read when they are asked for, kept as arrays.

All partitions of users in a worker share them. Items have numbers here, which are those of items
that some list was asked for or shows.
"""

import time
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np

from streamapp.core.arrays import Floats, Ints
from streamapp.core.blending import Neighbours
from streamapp.core.listing import ITEM, TRENDING, decode_scores
from streamapp.core.registry import Registry
from streamapp.errors import StateError
from streamapp.store.lists import Lists

_REMEMBERED = 50_000
"""Lists that are kept as arrays; a list that reads as before is not decoded again."""

K = TypeVar("K")


class Decoded:
    """A list, with the bytes that it was decoded from.

    Attributes:
        content: The bytes; b"" where there is no list.
        version: How many lists were decoded before and with it.
        items: int32. Item numbers, best first.
        scores: float64. Of each of them.
        as_of: Newest event time behind it in seconds; minus infinity where there is no list.
        read_at: Monotonic time in seconds after which it was last read.
    """

    __slots__ = ("as_of", "content", "items", "read_at", "scores", "version")

    def __init__(self, content: bytes, version: int, registry: Registry, read_at: float) -> None:
        self.content = content
        self.version = version
        self.items: Ints = np.zeros(0, np.int32)
        self.scores: Floats = np.zeros(0)
        self.as_of = -np.inf
        self.read_at = read_at
        if content:
            value = decode_scores(content)
            self.items = registry.number([entry.id for entry in value.items])
            self.scores = np.array([entry.score for entry in value.items], np.float64)
            self.as_of = value.as_of


class Standing(NamedTuple):
    """What stands at one moment.

    Attributes:
        lists: Of the items that were asked for, in that order.
        trending: What is trending.
        version: The highest that any list has.
    """

    lists: list[Decoded]
    trending: Decoded
    version: int

    def neighbours(self, items: Ints, registry: Registry) -> Neighbours:
        """Return the lists as one; `items` are those that were asked for."""
        row = np.full(len(registry), -1, np.int32)
        row[items] = np.arange(len(items), dtype=np.int32)
        return Neighbours(
            row,
            np.cumsum([0, *(len(one.items) for one in self.lists)]),
            np.concatenate([np.zeros(0, np.int32), *(one.items for one in self.lists)]),
            np.concatenate([np.zeros(0), *(one.scores for one in self.lists)]),
        )


class Shelf:
    """Lists that were read, and the numbers of the items in them.

    Attributes:
        registry: The items.
        lists: By item number.
        trending: The list of what is trending, by "".
    """

    def __init__(self) -> None:
        self.registry = Registry()
        self.lists: dict[int, Decoded] = {}
        self.trending: dict[str, Decoded] = {}


class ItemLists:
    """The lists of items, and what is trending."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
        self._shelf = Shelf()
        self._version = 0

    @property
    def shelf(self) -> Shelf:
        """What is read into; another one now and then, so that it is not full of what is old."""
        if len(self._shelf.lists) > _REMEMBERED:
            self._shelf = Shelf()
        return self._shelf

    async def read(self, shelf: Shelf, items: Ints, since: float) -> Standing:
        """Return what stands; what was read after `since` is not read again.

        Args:
            shelf: Where it is kept.
            items: Numbers of the shelf, each once.
            since: Monotonic time in seconds.
        """
        numbers, ids = items.tolist(), shelf.registry.ids
        old = {
            number: ids[number]
            for number in numbers
            if number not in shelf.lists or shelf.lists[number].read_at <= since
        }
        await self._read(ITEM, old, shelf, shelf.lists)
        if not shelf.trending or shelf.trending[""].read_at <= since:
            await self._read(TRENDING, {"": ""}, shelf, shelf.trending)
        lists = [shelf.lists[number] for number in numbers]
        return Standing(lists, shelf.trending[""], self._version)

    async def _read(
        self, kind: str, names: dict[K, str], shelf: Shelf, known: dict[K, Decoded]
    ) -> None:
        now = time.monotonic()
        contents = await self._lists.standing(kind, list(names.values()))
        for (place, name), content in zip(names.items(), contents, strict=True):
            before = known.get(place)
            if before is None or (before.content != content and before.read_at <= now):
                known[place] = self._decoded(kind, name, content, shelf, now)
            else:
                before.read_at = max(before.read_at, now)

    def _decoded(self, kind: str, name: str, content: bytes, shelf: Shelf, now: float) -> Decoded:
        self._version += 1
        try:
            return Decoded(content, self._version, shelf.registry, now)
        except msgspec.DecodeError as error:
            raise StateError(
                f"redis holds no list under {self._lists.key(kind, name)}: {error}; remove the "
                "key, and keep other programs from writing there"
            ) from None
