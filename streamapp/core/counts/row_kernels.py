"""Loops over cells: blocks of ratings become changes of cells, and these are merged into rows."""

from typing import Any

import numpy as np
import numpy.typing as npt

from streamapp.core.arrays.array_types import Bools, Floats, Ints, Longs
from streamapp.core.arrays.compiled import compiled


@compiled
def move(
    source: npt.NDArray[Any], target: npt.NDArray[Any], old: Longs, new: Longs, sizes: Ints
) -> None:
    """Copy `sizes` entries from each of the offsets `old` in `source` to `new` in `target`."""
    for row in range(len(old)):
        for cell in range(sizes[row]):
            target[new[row] + cell] = source[old[row] + cell]


@compiled
def expand(
    changed_ends: Longs,
    changed: Ints,
    before: Floats,
    after: Floats,
    kept_ends: Longs,
    kept: Ints,
    rating: Floats,
    owned: Bools,
    position: Longs,
    offset: int,
    count: Longs,
) -> tuple[Ints, Longs, Ints, Ints, Floats]:
    """Return the changes of cells that blocks make, grouped by row.

    Within a block, the dot of two changed items goes from the product of their ratings before to
    the product of their ratings after. The dot of a changed and a kept item changes by the change
    of the one times the rating of the other. Rows that are not owned or include `offset` get no
    cells. `count`, by item number, is zero before and after.

    Returns:
        (rows, starts, item, support, dot): int32 rows in order of first appearance; those of
        rows[k] lie at starts[k]:starts[k + 1] of the int32 items, int32 changes of support and
        float64 changes of dot. An item may occur several times in a group.

    Cost: O(cells), two passes over the blocks.
    """
    rows = np.empty(len(changed) + len(kept), np.int32)
    found = 0
    first, lead = 0, 0
    for block in range(len(changed_ends)):
        changes, keeps = changed_ends[block] - first, kept_ends[block] - lead
        for entry in range(first, changed_ends[block]):
            row = changed[entry]
            if owned[row] and position[row] <= offset and changes + keeps > 1:
                if count[row] == 0:
                    rows[found] = row
                    found += 1
                count[row] += changes + keeps - 1
        for entry in range(lead, kept_ends[block]):
            row = kept[entry]
            if owned[row] and position[row] <= offset:
                if count[row] == 0:
                    rows[found] = row
                    found += 1
                count[row] += changes
        first, lead = changed_ends[block], kept_ends[block]
    starts = np.zeros(found + 1, np.int64)
    for line in range(found):
        starts[line + 1] = starts[line] + count[rows[line]]
        count[rows[line]] = starts[line]
    item, support = np.empty(starts[found], np.int32), np.empty(starts[found], np.int32)
    dot = np.empty(starts[found])
    first, lead = 0, 0
    for block in range(len(changed_ends)):
        for left in range(first, changed_ends[block]):
            row = changed[left]
            own = owned[row] and position[row] <= offset
            gained = (after[left] > 0) - (before[left] > 0)
            if own:
                for right in range(first, changed_ends[block]):
                    if right != left:
                        cell = count[row]
                        count[row] += 1
                        item[cell] = changed[right]
                        dot[cell] = after[left] * after[right] - before[left] * before[right]
                        support[cell] = (after[left] > 0 and after[right] > 0) * 1 - (
                            before[left] > 0 and before[right] > 0
                        ) * 1
            for right in range(lead, kept_ends[block]):
                change = (after[left] - before[left]) * rating[right]
                if own:
                    cell = count[row]
                    count[row] += 1
                    item[cell], support[cell], dot[cell] = kept[right], gained, change
                other = kept[right]
                if owned[other] and position[other] <= offset:
                    cell = count[other]
                    count[other] += 1
                    item[cell], support[cell], dot[cell] = row, gained, change
        first, lead = changed_ends[block], kept_ends[block]
    for row in rows[:found]:
        count[row] = 0
    return rows[:found], starts, item, support, dot


@compiled
def merge(
    rows: Ints,
    starts: Longs,
    item: Ints,
    support: Ints,
    dot: Floats,
    row_start: Longs,
    row_size: Ints,
    row_item: Ints,
    row_support: Ints,
    row_dot: Floats,
    sum_dot: Floats,
    sum_support: Ints,
    seen: Longs,
) -> Longs:
    """Add changes to the cells that rows have; a cell whose support falls to 0 leaves.

    The cells that a row does not have yet are summed up at the front of its group. The sums are
    dense over all items, and only the entries in use are reset, so a row costs its own cells and
    not all items. `seen` is 0 before and after.

    Returns:
        int64: the number of new cells of each row.

    Cost: O(changes + cells of the rows).
    """
    new = np.zeros(len(rows), np.int64)
    for line in range(len(rows)):
        row = rows[line]
        for cell in range(starts[line], starts[line + 1]):
            other = item[cell]
            if seen[other] == 0:
                seen[other], sum_dot[other], sum_support[other] = 1, 0.0, 0
            sum_dot[other] += dot[cell]
            sum_support[other] += support[cell]
        base, end = row_start[row], row_start[row] + row_size[row]
        cell = base
        while cell < end:
            other = row_item[cell]
            if seen[other] == 1:
                seen[other] = 2
                row_dot[cell] += sum_dot[other]
                row_support[cell] += sum_support[other]
                if row_support[cell] == 0:
                    end -= 1
                    row_item[cell], row_dot[cell] = row_item[end], row_dot[end]
                    row_support[cell] = row_support[end]
                    continue
            cell += 1
        row_size[row] = end - base
        front = starts[line]
        for cell in range(starts[line], starts[line + 1]):
            other = item[cell]
            if seen[other] == 1 and sum_support[other] != 0:
                item[front], support[front] = other, sum_support[other]
                dot[front] = sum_dot[other]
                front += 1
            seen[other] = 0
        new[line] = front - starts[line]
    return new


@compiled
def append(
    rows: Ints,
    starts: Longs,
    new: Longs,
    item: Ints,
    support: Ints,
    dot: Floats,
    row_start: Longs,
    row_size: Ints,
    row_item: Ints,
    row_support: Ints,
    row_dot: Floats,
) -> None:
    """Append to each row the `new` cells at the front of its group; the row must have space."""
    for line in range(len(rows)):
        end = row_start[rows[line]] + row_size[rows[line]]
        for cell in range(starts[line], starts[line] + new[line]):
            row_item[end], row_support[end], row_dot[end] = item[cell], support[cell], dot[cell]
            end += 1
        row_size[rows[line]] += new[line]


@compiled
def advance(
    changed_ends: Longs,
    changed: Ints,
    kept_ends: Longs,
    kept: Ints,
    block_as_of: Floats,
    owned: Bools,
    position: Longs,
    as_of: Floats,
    offset: int,
) -> None:
    """Set the position of every owned row of the blocks behind `offset`, and update its `as_of`.

    A row that includes `offset` already stays as it is.
    """
    first, lead = 0, 0
    for block in range(len(changed_ends)):
        for items, start, end in (
            (changed, first, changed_ends[block]),
            (kept, lead, kept_ends[block]),
        ):
            for entry in range(start, end):
                row = items[entry]
                if owned[row] and position[row] <= offset:
                    as_of[row] = max(as_of[row], block_as_of[block])
        first, lead = changed_ends[block], kept_ends[block]
    for items in (changed, kept):
        for row in items:
            if owned[row]:
                position[row] = max(position[row], offset + 1)


@compiled
def neighbouring(numbers: Ints, starts: Longs, sizes: Ints, items: Ints, chosen: Bools) -> Bools:
    """Say of each row in `numbers` whether one of its cells is a chosen item.

    A row that was stored ahead may refer to items that are not known yet: none of them is chosen.
    """
    found = np.zeros(len(numbers), np.bool_)
    for line in range(len(numbers)):
        row = numbers[line]
        for cell in range(starts[row], starts[row] + sizes[row]):
            if items[cell] < len(chosen) and chosen[items[cell]]:
                found[line] = True
                break
    return found
