"""A cache of lists of items, as the arrays that `blend` takes.

Entries lie one behind the other in an arena. A list that changes stays at its offset as long as its
entries fit there.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streamapp.core.arrays.array_types import Bools, Floats, Ints, Longs
from streamapp.core.arrays.columns import Columns
from streamapp.core.arrays.growing import grown
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.blending import NeighbourLists
from streamapp.core.lists.list_format import ScoredList


class CachedList(NamedTuple):
    """One list of the cache.

    Attributes:
        items: int32. Item numbers, best first.
        as_of: Newest event time behind the list in seconds; minus infinity where there is no list.
        version: See `ListCache`.
    """

    items: Ints
    as_of: float
    version: int


class ListCache:
    """Lists by number; the caller decides which list a number means.

    Args:
        registry: Numbers the items in the lists.

    Attributes:
        line: int32 by number. The line of each list; -1 for a list that was never stored.
        size: Entries for which the arena has space.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.line: Ints = np.full(16, -1, np.int32)
        self.size = 0
        self._count = 0
        self._lines = Columns(
            {"version": np.int64, "as_of": np.float64, "read_at": np.float64, "digest": np.int64,
             "start": np.int64, "end": np.int64},
            16,
        )  # fmt: skip
        self._arena = Columns({"item": np.int32, "score": np.float64}, 16)

    @property
    def version(self) -> Longs:
        """int64 by line. The number of this list in the order in which lists were stored."""
        return self._lines["version"]

    @property
    def as_of(self) -> Floats:
        """float64 by line. Newest event time in seconds; minus infinity where there is no list."""
        return self._lines["as_of"]

    @property
    def neighbours(self) -> NeighbourLists:
        """All lists; valid until the next `store`."""
        lines, arena = self._lines, self._arena
        return NeighbourLists(
            self.line, lines["start"], lines["end"], arena["item"], arena["score"]
        )

    def get(self, number: int) -> CachedList:
        """Return one list that was stored."""
        line = int(self.line[number])
        items = self._arena["item"][self._lines["start"][line] : self._lines["end"][line]]
        return CachedList(items, float(self.as_of[line]), int(self.version[line]))

    def stale(self, numbers: Ints, read_after: float) -> Ints:
        """Return those of `numbers` whose lists were not read after `read_after`, in seconds."""
        self._reserve(int(numbers.max(initial=-1)) + 1)
        lines = self.line[numbers]
        stale: Ints = numbers[(lines < 0) | (self._lines["read_at"][lines] <= read_after)]
        return stale

    def changed(self, numbers: Ints, digests: Longs, read_at: float) -> Bools:
        """Record that lists were read; say of each whether it differs from the cached one.

        An answer to an earlier read than the last one does not count as a change.

        Args:
            numbers: int32. Lists that `stale` was asked about.
            digests: int64. Equal for equal lists.
            read_at: Time at which the read began, in seconds.
        """
        lines, seen = self.line[numbers], self._lines["read_at"]
        known, before = lines >= 0, seen[lines]
        seen[lines[known]] = np.maximum(before[known], read_at)
        changed: Bools = ~known | (self._lines["digest"][lines] != digests) & (before <= read_at)
        return changed

    def store(
        self,
        numbers: Ints,
        digests: Longs,
        lists: Sequence[ScoredList],
        read_at: float,
        version: int,
    ) -> None:
        """Store the lists that `changed`.

        Args:
            numbers: int32. Of the lists, each once.
            digests: int64. Of each of them.
            lists: Their contents.
            read_at: Time at which the read began, in seconds.
            version: How many lists were stored before, in all caches of the caller.

        Cost: O(entries).
        """
        new = numbers[self.line[numbers] < 0]
        self.line[new] = np.arange(self._count, self._count + len(new))
        self._count += len(new)
        self._lines.grow(self._count)
        lines = self.line[numbers]
        self.version[lines] = np.arange(version + 1, version + 1 + len(numbers))
        self._lines["digest"][lines], self._lines["read_at"][lines] = digests, read_at
        self.as_of[lines] = [one.as_of for one in lists]
        sizes = np.array([len(one.items) for one in lists], np.int64)
        self._make_space(lines, sizes)
        entries = [entry for one in lists for entry in one.items]
        first = np.cumsum(sizes) - sizes
        target = np.arange(len(entries)) + np.repeat(self._lines["start"][lines] - first, sizes)
        self._arena["item"][target] = self._registry.number([entry.id for entry in entries])
        self._arena["score"][target] = [entry.score for entry in entries]

    def _make_space(self, lines: Ints, sizes: Longs) -> None:
        """Give each line space for its entries, at the end of the arena if it outgrew its space."""
        start, end = self._lines["start"], self._lines["end"]
        outgrown = sizes > end[lines] - start[lines]
        moved, needed = lines[outgrown], sizes[outgrown]
        ends = self.size + np.cumsum(needed)
        start[moved] = ends - needed
        end[lines] = start[lines] + sizes
        self.size += int(needed.sum())
        self._arena.grow(self.size)

    def _reserve(self, numbers: int) -> None:
        known = len(self.line)
        if numbers > known:
            self.line = grown(self.line, numbers)
            self.line[known:] = -1
