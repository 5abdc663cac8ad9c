"""A shelf: lists that were read from elsewhere, as arrays that `blend` takes as they are.

Entries lie one behind the other in an arena. A list that changes stays where it is as long as it
fits there.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streamapp.core.arrays.dtypes import Bools, Floats, Ints, Longs, grown
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.blending import NeighbourLists
from streamapp.core.lists.list_format import Scores


class CachedList(NamedTuple):
    """One list of a shelf.

    Attributes:
        items: int32. Item numbers, best first.
        as_of: Newest event time behind it in seconds; minus infinity where there is no list.
        version: See `ListCache`.
    """

    items: Ints
    as_of: float
    version: int


class ListCache:
    """Lists by number; what a number stands for is up to who asks.

    Args:
        registry: Gives numbers to the items in the lists.

    Attributes:
        line: int32 by number. The line of each list; -1 for none that was read.
        version: int64 by line. The count of lists that were put somewhere, when this one was.
        as_of: float64 by line. Newest event time behind a list in seconds; minus infinity where
            there is no list.
        size: How many entries have room here.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.line: Ints = np.full(16, -1, np.int32)
        self.version: Longs = np.zeros(16, np.int64)
        self.as_of: Floats = np.zeros(16)
        self.size = 0
        self._lines = 0
        self._read_at: Floats = np.zeros(16)
        self._digest: Longs = np.zeros(16, np.int64)
        self._start: Longs = np.zeros(16, np.int64)
        self._end: Longs = np.zeros(16, np.int64)
        self._item: Ints = np.zeros(16, np.int32)
        self._score: Floats = np.zeros(16)

    @property
    def neighbours(self) -> NeighbourLists:
        """All lists, for as long as no other is put here."""
        return NeighbourLists(self.line, self._start, self._end, self._item, self._score)

    def read(self, number: int) -> CachedList:
        """Return one list that was put here."""
        line = int(self.line[number])
        items = self._item[self._start[line] : self._end[line]]
        return CachedList(items, float(self.as_of[line]), int(self.version[line]))

    def older(self, numbers: Ints, since: float) -> Ints:
        """Return those of `numbers` whose lists were not read after `since`, a time in seconds."""
        self._reserve(int(numbers.max(initial=-1)) + 1)
        lines = self.line[numbers]
        older: Ints = numbers[(lines < 0) | (self._read_at[lines] <= since)]
        return older

    def changed(self, numbers: Ints, digests: Longs, read_at: float) -> Bools:
        """Note that lists were read, and say of each whether it is another one than here.

        An answer that comes later than that to a later question is no news.

        Args:
            numbers: Of the lists, for which `older` was asked.
            digests: int64. Equal for equal lists.
            read_at: When they were asked for, in seconds.
        """
        lines = self.line[numbers]
        known, before = lines >= 0, self._read_at[lines]
        self._read_at[lines[known]] = np.maximum(before[known], read_at)
        changed: Bools = ~known | (self._digest[lines] != digests) & (before <= read_at)
        return changed

    def put(
        self,
        numbers: Ints,
        digests: Longs,
        lists: Sequence[Scores],
        read_at: float,
        version: int,
    ) -> None:
        """Put lists here that `changed`.

        Args:
            numbers: Of the lists, each once.
            digests: int64. Of each of them.
            lists: What they say.
            read_at: When they were asked for, in seconds.
            version: How many lists were put somewhere before; these count on.
        """
        new = numbers[self.line[numbers] < 0]
        self.line[new] = np.arange(self._lines, self._lines + len(new))
        self._lines += len(new)
        for name in ("version", "as_of", "_read_at", "_digest", "_start", "_end"):
            setattr(self, name, grown(getattr(self, name), self._lines))
        lines = self.line[numbers]
        self.version[lines] = np.arange(version + 1, version + 1 + len(numbers))
        self._digest[lines], self._read_at[lines] = digests, read_at
        self.as_of[lines] = [one.as_of for one in lists]
        sizes = np.array([len(one.items) for one in lists], np.int64)
        self._place(lines, sizes)
        entries = [entry for one in lists for entry in one.items]
        first = np.cumsum(sizes) - sizes
        target = np.arange(len(entries)) + np.repeat(self._start[lines] - first, sizes)
        self._item[target] = self._registry.number([entry.id for entry in entries])
        self._score[target] = [entry.score for entry in entries]

    def _place(self, lines: Ints, sizes: Longs) -> None:
        """Give each line room, at the end of the arena if it outgrew what it has."""
        outgrown = sizes > self._end[lines] - self._start[lines]
        moved, needed = lines[outgrown], sizes[outgrown]
        ends = self.size + np.cumsum(needed)
        self._start[moved] = ends - needed
        self._end[lines] = self._start[lines] + sizes
        self.size += int(needed.sum())
        self._item, self._score = grown(self._item, self.size), grown(self._score, self.size)

    def _reserve(self, numbers: int) -> None:
        known = len(self.line)
        if numbers > known:
            self.line = grown(self.line, numbers)
            self.line[known:] = -1
