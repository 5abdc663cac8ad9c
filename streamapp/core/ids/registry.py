"""A registry numbers items: item id <-> int32, in order of first appearance.

Numbers belong to one partition of state and are a function of its log. Each owner that reads the
same records in the same order gives every item the same number (ADR-0002).
"""

import sys
from collections.abc import Iterable, Sequence
from itertools import repeat
from zlib import crc32

import numpy as np

from streamapp.core.arrays.array_types import Bytes, Ints, Longs
from streamapp.core.arrays.compiled import compiled
from streamapp.core.arrays.growing import grown
from streamapp.core.ids.checksums import checksums


class Registry:
    """The items that one partition of state has seen; it only grows.

    Args:
        ids: The first items, in the order of their numbers.

    Attributes:
        ids: Item ids by number.
        scratch: int32 by number, all zero. A kernel that writes to it restores the zeros.
        prefix_bytes: Bytes at the start of every id that are not part of the public id.
        listed_prefix: The start of the ids of the items that lists hold.
    """

    prefix_bytes = 0
    listed_prefix = ""
    ids: list[str]
    scratch: Ints

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self.ids = []
        self._number: dict[str, int] = {}
        self._text: Bytes = np.zeros(0, np.uint8)
        self._ends: Longs = np.zeros(1, np.int64)
        self._hashes = np.zeros(0, np.uint32)
        self.scratch = np.zeros(0, np.int32)
        self.number(list(ids))

    def __len__(self) -> int:
        return len(self.ids)

    def number(self, ids: Sequence[str]) -> Ints:
        """Return the numbers of `ids`, int32, in order; unknown ids get the next free numbers.

        Cost: O(ids + bytes of the unknown ids).
        """
        numbers = self._found(ids)
        unknown = np.flatnonzero(numbers < 0)
        if len(unknown):
            first = len(self)
            self._append(list(dict.fromkeys(ids[index] for index in unknown.tolist())))
            if len(self) == first + len(unknown):
                numbers[unknown] = np.arange(first, len(self), dtype=np.int32)
            else:
                numbers = self._found(ids)
        return numbers

    def _found(self, ids: Sequence[str]) -> Ints:
        return np.fromiter(map(self._number.get, ids, repeat(-1)), np.int32, len(ids))

    def find(self, item: str) -> int:
        """Return the number of `item`; -1 for an unknown item."""
        return self._number.get(item, -1)

    @property
    def text(self) -> tuple[Bytes, Longs]:
        """The ids as UTF-8 in one array, and the end of each (entry 0 is the start, 0)."""
        return self._text, self._ends

    @property
    def public_ids(self) -> list[str]:
        """The ids that readers of lists see, by number."""
        return self.ids

    def shards(self, count: int, numbers: Ints) -> Ints:
        """Return the shard, of `count` shards, that has the row of each item; int32."""
        return self.norm_shards(count, numbers)

    def norm_shards(self, count: int, numbers: Ints) -> Ints:
        """Return the shard, of `count` shards, that counts the norm of each item; int32."""
        return (self._hashes[numbers] % np.uint32(count)).astype(np.int32)

    def _append(self, ids: Sequence[str]) -> None:
        """Give the next numbers to unknown ids, each of which comes once."""
        # Partitions know the same items; an interned id is in memory once.
        new = list(map(sys.intern, ids))
        encoded = "".join(new).encode()
        sizes = np.fromiter(map(len, new), np.int64, len(new))
        if int(sizes.sum()) < len(encoded):
            sizes = np.fromiter((len(item.encode()) for item in new), np.int64, len(new))
        known, needed = len(self.ids), len(self.ids) + len(new)
        start = int(self._ends[known])
        self._text = grown(self._text, start + len(encoded))
        self._ends = grown(self._ends, needed + 1)
        self._hashes = grown(self._hashes, needed)
        self.scratch = grown(self.scratch, needed)
        self._text[start : start + len(encoded)] = np.frombuffer(encoded, np.uint8)
        self._ends[known + 1 : needed + 1] = start + np.cumsum(sizes)
        checksums(self._text, self._ends[known : needed + 1], self._hashes[known:needed])
        self._number.update(zip(new, range(known, needed), strict=True))
        self.ids += new


def shard_of(item: str, count: int) -> int:
    """Return the shard, of `count` shards, that owns the row of `item`."""
    return crc32(item.encode()) % count


@compiled
def precedes(text: Bytes, ends: Longs, left: int, right: int) -> bool:
    """Say whether the id of item `left` sorts before that of `right` in byte order."""
    left_start, left_end = ends[left], ends[left + 1]
    right_start, right_end = ends[right], ends[right + 1]
    for offset in range(min(left_end - left_start, right_end - right_start)):
        left_byte, right_byte = text[left_start + offset], text[right_start + offset]
        if left_byte != right_byte:
            return bool(left_byte < right_byte)
    return bool(left_end - left_start < right_end - right_start)
