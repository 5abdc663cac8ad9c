"""Aged items: the numbers under which a shard keeps sums where interactions fade.

A cell of a row then is not of another item but of another item at an age, and so is a sum of
squares. Each such aged item has a number, given in order of first appearance in the shard's log,
so that numbers are a function of the log as those of items are (ADR-0012).
"""

import numpy as np

from streamapp.core.arrays.compiled import compiled
from streamapp.core.arrays.dtypes import Ints, grown, resized

_SPREADS = 2_654_435_761, 2_246_822_519, 3_266_489_917
_SPARSE = 2
"""How many places there are for each aged item, at least: a search looks at two or three."""


class EraIndex:
    """The aged items of one shard; it only grows.

    Attributes:
        size: How many there are.
    """

    def __init__(self, item: Ints, age: Ints) -> None:
        self.size = len(item)
        self._item, self._age = item.copy(), age.copy()
        self._before: Ints = np.zeros(len(item), np.int32)
        self._last: Ints = np.zeros(int(item.max(initial=-1)) + 1, np.int32)
        self._table: Ints = np.zeros(1, np.int32)
        _chain(item, self._before, self._last)
        self._room(self.size)

    @property
    def item(self) -> Ints:
        """int32 by number of the aged item: whose it is."""
        return self._item[: self.size]

    @property
    def age(self) -> Ints:
        """int32 by number of the aged item."""
        return self._age[: self.size]

    @property
    def chains(self) -> tuple[Ints, Ints]:
        """By item the number of its last aged item, and by that the one before; both plus 1."""
        return self._last, self._before

    def reserve(self, items: int) -> None:
        """Make room for the items below `items`."""
        self._last = resized(self._last, max(items, len(self._last)))

    def number(self, item: Ints, age: Ints) -> Ints:
        """Return the numbers of items at ages, int32; unknown ones get the next free numbers.

        Cost: O(n), and O(n log n) for n that are new.
        """
        numbers = _find(item, age, self._item, self._age, self._table)
        new = numbers < 0
        if new.any():
            distinct = np.unique((item[new].astype(np.int64) << 32) + age[new])
            self._room(self.size + len(distinct))
            self.size = _enter(item, age, numbers, self.size, self._item, self._age, self._table,
                               self._last, self._before)  # fmt: skip
        return numbers

    def _room(self, size: int) -> None:
        """Make room for so many aged items, in the table by item and age too."""
        for name in ("_item", "_age", "_before"):
            setattr(self, name, grown(getattr(self, name), size))
        if _SPARSE * size >= len(self._table):
            self._table = np.zeros(1 << (_SPARSE * size).bit_length() + 1, np.int32)
            _fill(self.item, self.age, self._table)


@compiled
def _chain(item: Ints, before: Ints, last: Ints) -> None:
    for number in range(len(item)):
        before[number] = last[item[number]]
        last[item[number]] = number + 1


@compiled
def _place(item: int, age: int, items: Ints, ages: Ints, table: Ints) -> int:
    """Return where the table has an item at an age, or has room for it.

    It holds numbers plus 1, and 0 for room. Source: Knuth, The Art of Computer Programming, 6.4,
    linear probing with a multiplicative hash.
    """
    spread = (item * _SPREADS[0] ^ age * _SPREADS[1]) * _SPREADS[2]
    place = (spread >> 15) & (len(table) - 1)
    while table[place] and (items[table[place] - 1] != item or ages[table[place] - 1] != age):
        place = (place + 1) & (len(table) - 1)
    return int(place)


@compiled
def _fill(items: Ints, ages: Ints, table: Ints) -> None:
    for number in range(len(items)):
        table[_place(items[number], ages[number], items, ages, table)] = number + 1


@compiled
def _find(item: Ints, age: Ints, items: Ints, ages: Ints, table: Ints) -> Ints:
    """Return the numbers of items at ages, int32; -1 for what is unknown."""
    numbers = np.empty(len(item), np.int32)
    for entry in range(len(item)):
        numbers[entry] = table[_place(item[entry], age[entry], items, ages, table)] - 1
    return numbers


@compiled
def _enter(
    item: Ints,
    age: Ints,
    numbers: Ints,
    size: int,
    items: Ints,
    ages: Ints,
    table: Ints,
    last: Ints,
    before: Ints,
) -> int:
    """Give numbers to those that have none; return how many there are then."""
    for entry in range(len(item)):
        if numbers[entry] >= 0:
            continue
        place = _place(item[entry], age[entry], items, ages, table)
        if table[place] == 0:
            items[size], ages[size] = item[entry], age[entry]
            before[size] = last[item[entry]]
            size += 1
            table[place] = last[item[entry]] = size
        numbers[entry] = table[place] - 1
    return size
