"""Rows where interactions fade: their cells are of aged items.

A cell holds the sum of all products of one age, in units of `2 ** (AGE_WIDTH * age)`, and how many
users these are of. It leaves with the last of them, and with it whatever rounding is in it.
"""

from math import ldexp
from typing import Any, NamedTuple

import numpy as np

from streamapp.core.arrays.compiled import compiled
from streamapp.core.arrays.dtypes import Bools, Floats, Ints, Longs, resized
from streamapp.core.counts.decayed_norms import DecayedNorms
from streamapp.core.counts.rows import CELL, Cells, Rows
from streamapp.core.histories.decay import AGE_BITS, AGE_WIDTH, product, split
from streamapp.core.messages.delta import Blocks


class Similarities(NamedTuple):
    """Cosines of some rows, one cell for each other item.

    Attributes:
        starts: int64 by item. Where the cells of each of the rows start.
        size: int32 by item. How many there are.
        item: int32. Item numbers.
        support: int32. Users behind the pair.
        cosine: float64.
    """

    starts: Longs
    size: Ints
    item: Ints
    support: Ints
    cosine: Floats


class DecayedRows(Rows):
    """Rows by item number, of cells by number of the aged item."""

    def __init__(self, norms: DecayedNorms) -> None:
        super().__init__()
        self._norms = norms
        self._ages = norms.ages
        self._scratch_at: Ints = np.zeros(0, np.int32)

    def reserve(self, items: int) -> None:
        """Make room for the items below `items`."""
        self._reserve_rows(items)
        self._scratch_at = resized(self._scratch_at, items)

    def touching(self, numbers: Ints, moved: Bools) -> Bools:
        """Say of each row that is present whether one of its cells is of an item that moved."""
        return super().touching(numbers, moved[self._ages.item])

    def similarities(self, numbers: Ints) -> Similarities:
        """Return the cosines of rows that are present and not ahead. Cost: O(their cells)."""
        norms = self._norms
        return Similarities(*_similarities(
            numbers, *self.cells, self._ages.item, self._ages.age, norms.sum_sq, norms.age,
            self._scratch_at,
        ))  # fmt: skip

    def _expand(self, blocks: Blocks, offset: int, owned: Bools) -> Cells:
        row, other, age, gained, value = _spell(
            blocks.changed_ends, blocks.changed, *split(blocks.before), *split(blocks.after),
            blocks.kept_ends, blocks.kept, *split(blocks.rating), owned,
        )  # fmt: skip
        # Also for rows that hold the delta already: numbers are a function of the log.
        numbers = self._ages.number(other, age)
        self._norms.fit()
        self._reserve_sums(self._ages.size)
        return Cells(
            *_grouped(row, numbers, gained, value, self.position, offset, self._scratch_count)
        )


def by_item(norms: DecayedNorms, row: Ints, cells: Any) -> tuple[Ints, Any]:
    """Return stored cells, summed up by item, in units of `norms.exponent` of both items.

    Args:
        norms: Those of the shard.
        row: int32, shape (cells,). The item whose row each is in.
        cells: `CELL`, shape (cells,). Of aged items that `norms` knows.

    Returns:
        int32 and `CELL`: the same with item numbers, each pair once, rising. What is too small is
        0.

    Cost: O(n log n).
    """
    ages, items = norms.ages, len(norms.users)
    other = ages.item[cells["item"]]
    doublings = AGE_WIDTH * ages.age[cells["item"]] - norms.exponent[row] - norms.exponent[other]
    pairs, place = np.unique(row.astype(np.int64) * items + other, return_inverse=True)
    summed = np.zeros(len(pairs), CELL)
    summed["item"] = pairs % max(items, 1)
    summed["support"] = np.bincount(place, cells["support"], len(pairs))
    summed["dot"] = np.bincount(place, np.ldexp(cells["dot"], doublings), len(pairs))
    return (pairs // max(items, 1)).astype(np.int32), summed


@compiled
def _spell(
    changed_ends: Longs,
    changed: Ints,
    before_whole: Ints,
    before_rest: Floats,
    after_whole: Ints,
    after_rest: Floats,
    kept_ends: Longs,
    kept: Ints,
    kept_whole: Ints,
    kept_rest: Floats,
    owned: Bools,
) -> tuple[Ints, Ints, Ints, Ints, Floats]:
    """Spell blocks out as cells of owned rows: each product that goes, and each that comes.

    Returns:
        int32 rows, other items, ages and changes of support, and float64 changes of the sum.

    Cost: O(cells), twice over the blocks.
    """
    room = first = lead = 0
    for block in range(len(changed_ends)):
        changes, keeps = changed_ends[block] - first, kept_ends[block] - lead
        room += 2 * changes * (changes + 2 * keeps)
        first, lead = changed_ends[block], kept_ends[block]
    row, other = np.empty(room, np.int32), np.empty(room, np.int32)
    age, gained = np.empty(room, np.int32), np.empty(room, np.int32)
    value = np.empty(room)
    end = first = lead = 0
    for block in range(len(changed_ends)):
        for left in range(first, changed_ends[block]):
            for sign, whole, rest in (
                (-1, before_whole, before_rest),
                (1, after_whole, after_rest),
            ):
                if rest[left] == 0:
                    continue
                if owned[changed[left]]:
                    for right in range(first, changed_ends[block]):
                        if right != left and rest[right] > 0:
                            levels = whole[left] + whole[right]
                            row[end], other[end] = changed[left], changed[right]
                            age[end], gained[end] = levels >> AGE_BITS, sign
                            value[end] = sign * product(levels, rest[left], rest[right])
                            end += 1
                for right in range(lead, kept_ends[block]):
                    levels = whole[left] + kept_whole[right]
                    change = sign * product(levels, rest[left], kept_rest[right])
                    for mine, its in (
                        (changed[left], kept[right]),
                        (kept[right], changed[left]),
                    ):
                        if owned[mine]:
                            row[end], other[end] = mine, its
                            age[end], gained[end] = levels >> AGE_BITS, sign
                            value[end] = change
                            end += 1
        first, lead = changed_ends[block], kept_ends[block]
    return row[:end], other[:end], age[:end], gained[:end], value[:end]


@compiled
def _grouped(
    row: Ints,
    number: Ints,
    gained: Ints,
    value: Floats,
    position: Longs,
    offset: int,
    count: Longs,
) -> tuple[Ints, Longs, Ints, Ints, Floats]:
    """Group cells by row, without rows that are beyond `offset`; as `expand` returns them."""
    rows, found = np.empty(len(row), np.int32), 0
    for cell in range(len(row)):
        if position[row[cell]] <= offset:
            if count[row[cell]] == 0:
                rows[found] = row[cell]
                found += 1
            count[row[cell]] += 1
    starts = np.zeros(found + 1, np.int64)
    for place in range(found):
        starts[place + 1] = starts[place] + count[rows[place]]
        count[rows[place]] = starts[place]
    item, support = np.empty(starts[found], np.int32), np.empty(starts[found], np.int32)
    dot = np.empty(starts[found])
    for cell in range(len(row)):
        if position[row[cell]] <= offset:
            place = count[row[cell]]
            count[row[cell]] += 1
            item[place], support[place], dot[place] = number[cell], gained[cell], value[cell]
    for mine in rows[:found]:
        count[mine] = 0
    return rows[:found], starts, item, support, dot


@compiled
def _similarities(
    numbers: Ints,
    starts: Longs,
    sizes: Ints,
    items: Ints,
    supports: Ints,
    dots: Floats,
    aged_item: Ints,
    aged_age: Ints,
    sum_sq: Floats,
    newest: Ints,
    scratch: Ints,
) -> tuple[Longs, Ints, Ints, Ints, Floats]:
    """Sum cells up by item; `scratch`, by item, is zero before and after."""
    room = 0
    for row in numbers:
        room += sizes[row]
    start, size = np.zeros(len(starts), np.int64), np.zeros(len(starts), np.int32)
    item, support = np.empty(room, np.int32), np.zeros(room, np.int32)
    cosine = np.zeros(room)
    end = 0
    for row in numbers:
        start[row] = end
        for cell in range(starts[row], starts[row] + sizes[row]):
            other = aged_item[items[cell]]
            if scratch[other] == 0:
                item[end] = other
                end += 1
                scratch[other] = end - start[row]
            place = start[row] + scratch[other] - 1
            support[place] += supports[cell]
            doublings = 2 * aged_age[items[cell]] - newest[row] - newest[other]
            cosine[place] += ldexp(
                dots[cell] / np.sqrt(sum_sq[row] * sum_sq[other]), AGE_WIDTH // 2 * doublings
            )
        size[row] = end - start[row]
        for place in range(start[row], end):
            scratch[item[place]] = 0
    return start, size, item[:end], support[:end], cosine[:end]
