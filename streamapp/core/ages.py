"""Core. Aged items: the numbers under which a shard keeps sums where interactions fade.

A cell of a row then is not of another item but of another item at an age, and so is a sum of
squares. Each such aged item has a number, given in order of first appearance in the shard's log,
so that numbers are a function of the log as those of items are (ADR-0012).
"""

import numpy as np

from streamapp.core.arrays import Ints, compiled, grown, resized


class Ages:
    """The aged items of one shard; it only grows.

    Attributes:
        size: How many there are.
    """

    def __init__(self, item: Ints, age: Ints) -> None:
        self.size = 0
        self._item: Ints = np.zeros(0, np.int32)
        self._age: Ints = np.zeros(0, np.int32)
        self._before: Ints = np.zeros(0, np.int32)
        self._last: Ints = np.zeros(0, np.int32)
        self.reserve(int(item.max(initial=-1)) + 1)
        self._room(len(item))
        self._item[: len(item)], self._age[: len(item)] = item, age
        _chain(item, self._before, self._last)
        self.size = len(item)

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

        Cost: O(ages of the item) each, those that are new first.
        """
        numbers, lacking = _find(item, age, self._age, self._last, self._before)
        if lacking:
            self._room(self.size + lacking)
            self.size = _enter(item, age, numbers, self.size,
                               self._item, self._age, self._last, self._before)  # fmt: skip
        return numbers

    def _room(self, size: int) -> None:
        for name in ("_item", "_age", "_before"):
            setattr(self, name, grown(getattr(self, name), size))


@compiled
def _chain(item: Ints, before: Ints, last: Ints) -> None:
    for number in range(len(item)):
        before[number] = last[item[number]]
        last[item[number]] = number + 1


@compiled
def _search(item: int, age: int, ages: Ints, last: Ints, before: Ints) -> int:
    """Return the number of an item at an age; -1 for none."""
    number = last[item] - 1
    while number >= 0 and ages[number] != age:
        number = before[number] - 1
    return int(number)


@compiled
def _find(item: Ints, age: Ints, ages: Ints, last: Ints, before: Ints) -> tuple[Ints, int]:
    numbers, lacking = np.empty(len(item), np.int32), 0
    for entry in range(len(item)):
        numbers[entry] = _search(item[entry], age[entry], ages, last, before)
        lacking += numbers[entry] < 0
    return numbers, lacking


@compiled
def _enter(
    item: Ints,
    age: Ints,
    numbers: Ints,
    size: int,
    items: Ints,
    ages: Ints,
    last: Ints,
    before: Ints,
) -> int:
    """Give numbers to those that have none; return how many there are then."""
    for entry in range(len(item)):
        if numbers[entry] >= 0:
            continue
        numbers[entry] = _search(item[entry], age[entry], ages, last, before)
        if numbers[entry] < 0:
            numbers[entry] = size
            items[size], ages[size] = item[entry], age[entry]
            before[size] = last[item[entry]]
            size += 1
            last[item[entry]] = size
    return size
