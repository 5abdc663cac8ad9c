"""Item eras: a shard keeps a sum for each item and era, where ratings decay.

An era is a range of exponents of products of two ratings. It rises with time: what is newer has a
larger era. A cell of a row is not for another item but for another item in one era, and so is a sum
of squares. Each item era has a number, in order of first appearance in the shard's log, so numbers
are a function of the log (ADR-0012).
"""

import numpy as np

from streamapp.core.arrays.array_types import Ints
from streamapp.core.arrays.columns import Columns
from streamapp.core.arrays.compiled import compiled
from streamapp.core.arrays.growing import resized

_SPREADS = 2_654_435_761, 2_246_822_519, 3_266_489_917
_SPARSE = 2
"""Buckets for each item era, at least: a search then visits two or three."""


class EraIndex:
    """The item eras of one shard; it only grows.

    Args:
        item: int32. The item of each era that is known already.
        era: int32. Each of these eras.

    Attributes:
        size: How many item eras there are.
    """

    def __init__(self, item: Ints, era: Ints) -> None:
        self.size = len(item)
        self._eras = Columns({"item": np.int32, "era": np.int32, "before": np.int32}, self.size)
        self._eras["item"][:], self._eras["era"][:] = item, era
        self._last: Ints = np.zeros(int(item.max(initial=-1)) + 1, np.int32)
        self._table: Ints = np.zeros(1, np.int32)
        _chain(item, self._eras["before"], self._last)
        self._reserve_eras(self.size)

    @property
    def item(self) -> Ints:
        """int32 by number of the item era. Its item."""
        item: Ints = self._eras["item"][: self.size]
        return item

    @property
    def era(self) -> Ints:
        """int32 by number of the item era. Its era."""
        era: Ints = self._eras["era"][: self.size]
        return era

    @property
    def chains(self) -> tuple[Ints, Ints]:
        """Linked lists: by item its last era, and by item era the one before; numbers plus 1."""
        return self._last, self._eras["before"]

    def reserve(self, items: int) -> None:
        """Make the items below `items` valid."""
        self._last = resized(self._last, max(items, len(self._last)))

    def number(self, item: Ints, era: Ints) -> Ints:
        """Return the numbers of item eras, int32; unknown ones get the next free numbers.

        Args:
            item: int32. Item numbers.
            era: int32. The era of each.

        Cost: O(n), and O(n log n) for n that are new.
        """
        eras = self._eras
        numbers = _find(item, era, eras["item"], eras["era"], self._table)
        new = numbers < 0
        if new.any():
            distinct = np.unique((item[new].astype(np.int64) << 32) + era[new])
            self._reserve_eras(self.size + len(distinct))
            self.size = _enter(item, era, numbers, self.size, eras["item"], eras["era"],
                               self._table, self._last, eras["before"])  # fmt: skip
        return numbers

    def _reserve_eras(self, size: int) -> None:
        """Grow the arrays and the hash table to `size` item eras."""
        self._eras.grow(size)
        if _SPARSE * size >= len(self._table):
            self._table = np.zeros(1 << (_SPARSE * size).bit_length() + 1, np.int32)
            _fill(self.item, self.era, self._table)


@compiled
def _chain(item: Ints, before: Ints, last: Ints) -> None:
    for number in range(len(item)):
        before[number] = last[item[number]]
        last[item[number]] = number + 1


@compiled
def _bucket(item: int, era: int, items: Ints, eras: Ints, table: Ints) -> int:
    """Return the bucket of an item era in the hash table, or the free bucket where it belongs.

    A bucket holds a number plus 1; 0 is free. Source: Knuth, The Art of Computer Programming, 6.4,
    linear probing with a multiplicative hash.
    """
    spread = (item * _SPREADS[0] ^ era * _SPREADS[1]) * _SPREADS[2]
    bucket = (spread >> 15) & (len(table) - 1)
    while table[bucket] and (items[table[bucket] - 1] != item or eras[table[bucket] - 1] != era):
        bucket = (bucket + 1) & (len(table) - 1)
    return int(bucket)


@compiled
def _fill(items: Ints, eras: Ints, table: Ints) -> None:
    for number in range(len(items)):
        table[_bucket(items[number], eras[number], items, eras, table)] = number + 1


@compiled
def _find(item: Ints, era: Ints, items: Ints, eras: Ints, table: Ints) -> Ints:
    """Return the numbers of item eras, int32; -1 for an unknown one."""
    numbers = np.empty(len(item), np.int32)
    for entry in range(len(item)):
        numbers[entry] = table[_bucket(item[entry], era[entry], items, eras, table)] - 1
    return numbers


@compiled
def _enter(
    item: Ints,
    era: Ints,
    numbers: Ints,
    size: int,
    items: Ints,
    eras: Ints,
    table: Ints,
    last: Ints,
    before: Ints,
) -> int:
    """Give numbers to the item eras that have none; return the new count of item eras."""
    for entry in range(len(item)):
        if numbers[entry] >= 0:
            continue
        bucket = _bucket(item[entry], era[entry], items, eras, table)
        if table[bucket] == 0:
            items[size], eras[size] = item[entry], era[entry]
            before[size] = last[item[entry]]
            size += 1
            table[bucket] = last[item[entry]] = size
        numbers[entry] = table[bucket] - 1
    return size
