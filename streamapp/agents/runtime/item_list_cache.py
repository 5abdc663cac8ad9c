"""The item lists that Redis holds, cached as arrays for the blending of user lists.

All user partitions of a worker share the cache. The cache numbers items itself: the items whose
lists it read, and the items in these lists.
"""

import math
import time
from typing import NamedTuple

import msgspec
import numpy as np

from streamapp.core.arrays.array_types import Ints
from streamapp.core.ids.registry import Registry
from streamapp.core.list_kinds import ITEM, TRENDING
from streamapp.core.lists.list_cache import CachedList, ListCache
from streamapp.core.lists.list_format import ScoredList, decode_scored_list
from streamapp.errors import StateError
from streamapp.store.lists import Lists

FORCE_READ = math.inf
"""Given as the time after which a list must have been read, so that it is always read."""

_CACHED_ENTRIES = 5_000_000
"""Most entries that are kept, of 12 bytes each. An unchanged list is not decoded again."""

_NO_LIST = ScoredList([])
_ALL = np.zeros(1, np.int32)
"""The number of the trending list, in a cache of its own."""


class ReadLists(NamedTuple):
    """The result of a read of item lists, beside the lists.

    Attributes:
        trending: The trending list.
        version: The highest version of any list.
    """

    trending: CachedList
    version: int


class ItemListCache:
    """Reads item lists, and the trending list.

    Attributes:
        registry: Numbers the items; it only grows.
    """

    def __init__(self, lists: Lists) -> None:
        self.registry = Registry()
        self._lists = lists
        self._cached = ListCache(self.registry)
        self._trending = ListCache(self.registry)
        self._version = 0

    @property
    def cached(self) -> ListCache:
        """The arrays to read into. A full one is replaced, which drops lists out of use."""
        if self._cached.size > _CACHED_ENTRIES:
            self._cached = ListCache(self.registry)
        return self._cached

    async def read(self, cached: ListCache, items: Ints, read_after: float) -> ReadLists:
        """Bring the lists of items into `cached`; return the trending list.

        Args:
            cached: The arrays, from the property of that name.
            items: int32. Numbers of items, each once.
            read_after: Monotonic time in seconds. Lists that were read later are new enough;
                `FORCE_READ` reads all of them.
        """
        await self._read(ITEM, cached, cached.stale(items, read_after))
        # The trending list has an empty name.
        await self._read(TRENDING, self._trending, self._trending.stale(_ALL, read_after))
        return ReadLists(self._trending.get(0), self._version)

    async def _read(self, kind: str, cached: ListCache, numbers: Ints) -> None:
        if not len(numbers):
            return
        now, ids = time.monotonic(), self.registry.ids
        names = [ids[number] if kind == ITEM else "" for number in numbers.tolist()]
        contents = await self._lists.get_many(kind, names)
        digests = np.array([hash(content) for content in contents], np.int64)
        changed = np.flatnonzero(cached.changed(numbers, digests, now))
        if len(changed):
            lists = [self._decoded(kind, names[at], contents[at]) for at in changed.tolist()]
            cached.store(numbers[changed], digests[changed], lists, now, self._version)
            self._version += len(changed)

    def _decoded(self, kind: str, name: str, content: bytes) -> ScoredList:
        if not content:
            return _NO_LIST
        try:
            return decode_scored_list(content)
        except msgspec.DecodeError as error:
            raise StateError(
                f"redis holds no list under {self._lists.key(kind, name)}: {error}; remove the "
                "key, and keep other programs from writing there"
            ) from None
