"""Rows with decay: their cells are for item eras.

A cell holds the sum of all products of one era, in units of `2 ** (ERA_WIDTH * era)`, and the
number of users behind it. The cell leaves with the last of these users, and takes all rounding
errors of its sum with it.
"""

from math import ldexp
from typing import Any

import numpy as np

from streamapp.core.arrays.array_types import Bools, Floats, Ints, Longs
from streamapp.core.arrays.compiled import compiled
from streamapp.core.arrays.growing import resized
from streamapp.core.counts.decayed_norms import DecayedNorms
from streamapp.core.counts.norms import Norms
from streamapp.core.counts.rows import CELL, CellChanges, Rows, ScoredCells
from streamapp.core.histories.decay import ERA_BITS, ERA_WIDTH, product, split
from streamapp.core.messages.rating_blocks import Blocks


class DecayedRows(Rows):
    """Rows by item number, of cells by number of the item era.

    Args:
        norms: The norms of the same shard.
    """

    def __init__(self, norms: DecayedNorms) -> None:
        super().__init__()
        self._norms = norms
        self._scratch: Ints = np.zeros(0, np.int32)

    def reserve(self, items: int) -> None:
        """Make the numbers below `items` valid."""
        self._rows.reserve(items)
        self._scratch = resized(self._scratch, max(items, len(self._scratch)))

    def with_neighbours(self, numbers: Ints, items: Bools) -> Bools:
        """Say of each row, all present, whether one of its cells is for an era of `items`."""
        return super().with_neighbours(numbers, items[self._norms.eras.item])

    def scored(self, numbers: Ints, norms: Norms) -> ScoredCells:
        """Return the cosine of each cell of some rows as its dot, with `sum_sq` 1 for every item.

        So `rank` divides by 1. The rows must be present and not ahead.

        Cost: O(their cells).
        """
        own = self._norms
        cosines = _cosines(numbers, *self.cells, own.eras.item, own.eras.era, own.sum_sq, own.era,
                           self._scratch)  # fmt: skip
        return ScoredCells(*cosines, np.ones(len(norms.users)))

    def _expand(self, blocks: Blocks, offset: int, owned: Bools) -> CellChanges:
        row, other, era, gained, value = _expand(
            blocks.changed_ends, blocks.changed, *split(blocks.before), *split(blocks.after),
            blocks.kept_ends, blocks.kept, *split(blocks.rating), owned,
        )  # fmt: skip
        # Cells of rows that include the delta already get numbers too, because these numbers must
        # depend on the log alone.
        eras = self._norms.eras
        numbers = eras.number(other, era)
        self._norms.add_new_eras()
        self._sums.reserve(eras.size)
        return CellChanges(
            *_grouped(row, numbers, gained, value, self.position, offset, self._rows["scratch"])
        )


def by_item(norms: DecayedNorms, row: Ints, cells: Any) -> tuple[Ints, Any]:
    """Return stored cells, summed up by item, in units of `norms.exponent` of both items.

    Args:
        norms: Of the shard.
        row: int32, shape (cells,). The item whose row each cell is in.
        cells: `CELL`, shape (cells,). For item eras that `norms` knows.

    Returns:
        int32 and `CELL`: rows and cells by item number, each pair once, in rising order. A dot that
        is too small for a float64 is 0.

    Cost: O(n log n).
    """
    eras, items = norms.eras, len(norms.users)
    other = eras.item[cells["item"]]
    doublings = ERA_WIDTH * eras.era[cells["item"]] - norms.exponent[row] - norms.exponent[other]
    pairs, line = np.unique(row.astype(np.int64) * items + other, return_inverse=True)
    summed = np.zeros(len(pairs), CELL)
    summed["item"] = pairs % max(items, 1)
    summed["support"] = np.bincount(line, cells["support"], len(pairs))
    summed["dot"] = np.bincount(line, np.ldexp(cells["dot"], doublings), len(pairs))
    return (pairs // max(items, 1)).astype(np.int32), summed


@compiled
def _expand(
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
    """Return the cells of owned rows: one for each product that leaves and each that enters.

    Returns:
        int32 rows, other items, eras and changes of support, and float64 changes of the sum.

    Cost: O(cells), two passes over the blocks.
    """
    most = first = lead = 0
    for block in range(len(changed_ends)):
        changes, keeps = changed_ends[block] - first, kept_ends[block] - lead
        most += 2 * changes * (changes + 2 * keeps)
        first, lead = changed_ends[block], kept_ends[block]
    row, other = np.empty(most, np.int32), np.empty(most, np.int32)
    era, gained = np.empty(most, np.int32), np.empty(most, np.int32)
    value = np.empty(most)
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
                            era[end], gained[end] = levels >> ERA_BITS, sign
                            value[end] = sign * product(levels, rest[left], rest[right])
                            end += 1
                for right in range(lead, kept_ends[block]):
                    levels = whole[left] + kept_whole[right]
                    change = sign * product(levels, rest[left], kept_rest[right])
                    for own, far in (
                        (changed[left], kept[right]),
                        (kept[right], changed[left]),
                    ):
                        if owned[own]:
                            row[end], other[end] = own, far
                            era[end], gained[end] = levels >> ERA_BITS, sign
                            value[end] = change
                            end += 1
        first, lead = changed_ends[block], kept_ends[block]
    return row[:end], other[:end], era[:end], gained[:end], value[:end]


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
    """Group cells by row, without rows that include `offset`; return them as `expand` does."""
    rows, found = np.empty(len(row), np.int32), 0
    for cell in range(len(row)):
        if position[row[cell]] <= offset:
            if count[row[cell]] == 0:
                rows[found] = row[cell]
                found += 1
            count[row[cell]] += 1
    starts = np.zeros(found + 1, np.int64)
    for line in range(found):
        starts[line + 1] = starts[line] + count[rows[line]]
        count[rows[line]] = starts[line]
    item, support = np.empty(starts[found], np.int32), np.empty(starts[found], np.int32)
    dot = np.empty(starts[found])
    for cell in range(len(row)):
        if position[row[cell]] <= offset:
            target = count[row[cell]]
            count[row[cell]] += 1
            item[target], support[target], dot[target] = number[cell], gained[cell], value[cell]
    for own in rows[:found]:
        count[own] = 0
    return rows[:found], starts, item, support, dot


@compiled
def _cosines(
    numbers: Ints,
    starts: Longs,
    sizes: Ints,
    items: Ints,
    supports: Ints,
    dots: Floats,
    era_item: Ints,
    era_of: Ints,
    sum_sq: Floats,
    newest: Ints,
    scratch: Ints,
) -> tuple[Longs, Ints, Ints, Ints, Floats]:
    """Sum cells up by item, as cosines; `scratch`, by item, is zero before and after."""
    most = 0
    for row in numbers:
        most += sizes[row]
    start, size = np.zeros(len(starts), np.int64), np.zeros(len(starts), np.int32)
    item, support = np.empty(most, np.int32), np.zeros(most, np.int32)
    cosine = np.zeros(most)
    end = 0
    for row in numbers:
        start[row] = end
        for cell in range(starts[row], starts[row] + sizes[row]):
            other = era_item[items[cell]]
            if scratch[other] == 0:
                item[end] = other
                end += 1
                scratch[other] = end - start[row]
            target = start[row] + scratch[other] - 1
            support[target] += supports[cell]
            doublings = 2 * era_of[items[cell]] - newest[row] - newest[other]
            scale = sum_sq[row] * sum_sq[other]
            # The owner of a norm may have applied a delta that this shard has not: the cell may
            # hold users that the norm lacks, and eras that are newer by any number of doublings.
            if scale > 0:
                share = ldexp(dots[cell] / np.sqrt(scale), ERA_WIDTH // 2 * doublings)
                cosine[target] = min(cosine[target] + share, 1.0)
        size[row] = end - start[row]
        for target in range(start[row], end):
            scratch[item[target]] = 0
    return start, size, item[:end], support[:end], cosine[:end]
