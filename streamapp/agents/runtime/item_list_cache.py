"""Lists of items as they stand in Redis: read when they are asked for, kept as arrays.

All partitions of users in a worker share them. Items have numbers here, which are those of items
that some list was asked for or shows.
"""

import time
from typing import NamedTuple

import msgspec
import numpy as np

from streamapp.core.arrays.dtypes import Ints
from streamapp.core.ids.registry import Registry
from streamapp.core.list_kinds import ITEM, TRENDING
from streamapp.core.lists.list_cache import CachedList, ListCache
from streamapp.core.lists.list_format import Scores, decode_scores
from streamapp.errors import StateError
from streamapp.store.lists import Lists

_REMEMBERED = 5_000_000
"""Entries of lists that are kept, of 12 bytes; a list that reads as before is not decoded again."""

_NO_LIST = Scores(-np.inf, [])
_ALL = np.zeros(1, np.int32)
"""The number of what is trending, on a shelf of its own."""


class Standing(NamedTuple):
    """What stands at one moment.

    Attributes:
        trending: What is trending.
        version: The highest that any list has.
    """

    trending: CachedList
    version: int


class ItemListCache:
    """The lists of items, and what is trending.

    Attributes:
        registry: The items; it only grows.
    """

    def __init__(self, lists: Lists) -> None:
        self.registry = Registry()
        self._lists = lists
        self._shelf = ListCache(self.registry)
        self._trending = ListCache(self.registry)
        self._version = 0

    @property
    def shelf(self) -> ListCache:
        """What is read into; another one now and then, so that it is not full of what is old."""
        if self._shelf.size > _REMEMBERED:
            self._shelf = ListCache(self.registry)
        return self._shelf

    async def read(self, shelf: ListCache, items: Ints, since: float) -> Standing:
        """Return what stands, and have lists of items on the shelf.

        What was read after `since` is not read again.

        Args:
            shelf: Where they are kept.
            items: Their numbers, each once.
            since: Monotonic time in seconds.
        """
        await self._read(ITEM, shelf, shelf.stale(items, since))
        # What is trending goes by no name.
        await self._read(TRENDING, self._trending, self._trending.stale(_ALL, since))
        return Standing(self._trending.get(0), self._version)

    async def _read(self, kind: str, shelf: ListCache, numbers: Ints) -> None:
        if not len(numbers):
            return
        now, ids = time.monotonic(), self.registry.ids
        names = [ids[number] if kind == ITEM else "" for number in numbers.tolist()]
        contents = await self._lists.standing(kind, names)
        digests = np.array([hash(content) for content in contents], np.int64)
        changed = np.flatnonzero(shelf.changed(numbers, digests, now))
        if len(changed):
            lists = [self._decoded(kind, names[at], contents[at]) for at in changed.tolist()]
            shelf.store(numbers[changed], digests[changed], lists, now, self._version)
            self._version += len(changed)

    def _decoded(self, kind: str, name: str, content: bytes) -> Scores:
        if not content:
            return _NO_LIST
        try:
            return decode_scores(content)
        except msgspec.DecodeError as error:
            raise StateError(
                f"redis holds no list under {self._lists.key(kind, name)}: {error}; remove the "
                "key, and keep other programs from writing there"
            ) from None
