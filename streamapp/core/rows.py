"""Core. The rows of one shard: the dots and supports of its items with all others.

Rows lie one behind the other in an arena. A row that outgrows its place moves to the end, and the
arena is packed anew when more than half of it is holes. Which rows are here is a matter of memory:
a row that is absent lives in the store.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from streamapp.core.arrays import Bools, Floats, Ints, Longs, compiled, resized
from streamapp.core.delta import Blocks

CELL = np.dtype([("item", "<i4"), ("support", "<i4"), ("dot", "<f8")])
"""One cell of a stored row, 16 bytes."""


class Rows:
    """Rows by item number.

    Attributes:
        size: int32. Cells of each row; 0 for a row that is absent or empty.
        present: bool. Rows that are here.
        position: int64. A row holds every delta of its shard's log below this offset.
        as_of: float64. Newest event time behind each row in seconds.
    """

    def __init__(self) -> None:
        self.size: Ints = np.zeros(0, np.int32)
        self.present: Bools = np.zeros(0, np.bool_)
        self.position: Longs = np.zeros(0, np.int64)
        self.as_of: Floats = np.zeros(0)
        self._start: Longs = np.zeros(0, np.int64)
        self._room: Ints = np.zeros(0, np.int32)
        self._item: Ints = np.zeros(0, np.int32)
        self._support: Ints = np.zeros(0, np.int32)
        self._dot: Floats = np.zeros(0)
        self._end = 0
        self._scratch_dot: Floats = np.zeros(0)
        self._scratch_support: Ints = np.zeros(0, np.int32)
        self._scratch_mark: Longs = np.zeros(0, np.int64)

    def reserve(self, items: int) -> None:
        """Make room for the numbers below `items`."""
        for name in ("size", "present", "position", "as_of", "_start", "_room",
                     "_scratch_dot", "_scratch_support", "_scratch_mark"):  # fmt: skip
            setattr(self, name, resized(getattr(self, name), items))

    @property
    def cells(self) -> tuple[Longs, Ints, Ints, Ints, Floats]:
        """Where each row starts, its size, and the arena: items, supports, dots."""
        return self._start, self.size, self._item, self._support, self._dot

    def load(self, numbers: Ints, positions: Longs, as_of: Floats, packed: Sequence[bytes]) -> None:
        """Put stored rows here; each of `packed` holds a row's `CELL` records."""
        cells = np.frombuffer(b"".join(packed), CELL)
        sizes = np.array([len(row) // CELL.itemsize for row in packed], np.int64)
        self._place(numbers, sizes)
        self.size[numbers], self.present[numbers] = sizes, True
        source = np.cumsum(sizes) - sizes
        for name, array in (("item", self._item), ("support", self._support), ("dot", self._dot)):
            _move(np.ascontiguousarray(cells[name]), array, source,
                  self._start[numbers], self.size[numbers])  # fmt: skip
        self.position[numbers], self.as_of[numbers] = positions, as_of

    def pack(self, number: int) -> bytes:
        """Return the row as `CELL` records."""
        start = int(self._start[number])
        place = slice(start, start + int(self.size[number]))
        cells = np.empty(place.stop - start, CELL)
        cells["item"], cells["support"] = self._item[place], self._support[place]
        cells["dot"] = self._dot[place]
        return cells.tobytes()

    def drop(self, numbers: Ints | Longs) -> None:
        """Let go of rows; their memory is reclaimed when the arena is packed."""
        self.present[numbers] = False
        self.size[numbers] = 0
        self._room[numbers] = 0

    def apply(self, blocks: Blocks, offset: int, owned: Bools) -> Ints:
        """Add what `blocks` change to the owned rows, all of which must be present.

        Args:
            blocks: Rating changes; a pair of items occurs once in a block.
            offset: The delta's offset in the shard's log; rows beyond it stay as they are.
            owned: bool by item number. Whose rows belong to this shard.

        Returns:
            int32: the rows that changed.

        Cost: O(pairs + cells of the touched rows).
        """
        touched, starts, item, support, dot = _expand(
            blocks.changed_ends, blocks.changed, blocks.before, blocks.after,
            blocks.kept_ends, blocks.kept, blocks.rating, owned, self.position, offset,
        )  # fmt: skip
        new = _merge(touched, starts, item, support, dot, self._start, self.size,
                     self._item, self._support, self._dot,
                     self._scratch_dot, self._scratch_support, self._scratch_mark)  # fmt: skip
        self._place(touched, self.size[touched] + new)
        _append(touched, starts, new, item, support, dot, self._start, self.size,
                self._item, self._support, self._dot)  # fmt: skip
        _advance(blocks.changed_ends, blocks.changed, blocks.kept_ends, blocks.kept,
                 blocks.as_of, owned, self.position, self.as_of, offset)  # fmt: skip
        return touched

    def _place(self, numbers: Ints, needed: Longs) -> None:
        """Give every row room for `needed` cells, moving those that lack it to the arena's end."""
        if self._end + int(_room_for(needed).sum()) > len(self._item):
            self._renew(int(_room_for(needed).sum()))
        tight = needed > self._room[numbers]
        numbers, room = numbers[tight], _room_for(needed[tight])
        starts = self._end + np.cumsum(room) - room
        for array in (self._item, self._support, self._dot):
            _move(array, array, self._start[numbers], starts, self.size[numbers])
        self._start[numbers], self._room[numbers] = starts, room
        self._end += int(room.sum())

    def _renew(self, extra: int) -> None:
        """Copy the rows into a new arena, without holes, half as large again as it must be."""
        numbers = np.flatnonzero(self.size)
        room = _room_for(self.size[numbers].astype(np.int64))
        starts, end = np.cumsum(room) - room, int(room.sum())
        for name in ("_item", "_support", "_dot"):
            old = getattr(self, name)
            new = np.empty((end + extra) * 3 // 2, old.dtype)
            _move(old, new, self._start[numbers], starts, self.size[numbers])
            setattr(self, name, new)
        self._room[:] = 0
        self._start[numbers], self._room[numbers], self._end = starts, room, end


def _room_for(cells: Longs) -> Longs:
    return cells + cells // 4 + 4


@compiled
def _move(
    source: npt.NDArray[Any], target: npt.NDArray[Any], old: Longs, new: Longs, sizes: Ints
) -> None:
    for row in range(len(old)):
        for cell in range(sizes[row]):
            target[new[row] + cell] = source[old[row] + cell]


@compiled
def _expand(
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
) -> tuple[Ints, Longs, Ints, Ints, Floats]:
    """Spell blocks out as cells, grouped by row: (rows, starts, item, support, dot)."""
    count = np.zeros(len(owned), np.int64)
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
    for place in range(found):
        starts[place + 1] = starts[place] + count[rows[place]]
        count[rows[place]] = starts[place]
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
    return rows[:found], starts, item, support, dot


@compiled
def _merge(
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
    mark: Longs,
) -> Longs:
    """Add grouped cells to the cells their rows have; a cell whose support falls to 0 leaves.

    What a row does not have yet is summed up at the front of its group; returned is how many cells
    that makes for each row. The sums are dense over all items and are reset by the cells that
    touched them, so that a row costs its own cells and not all items. `mark` is 0 before and after.
    """
    new = np.zeros(len(rows), np.int64)
    for place in range(len(rows)):
        row = rows[place]
        for cell in range(starts[place], starts[place + 1]):
            other = item[cell]
            if mark[other] == 0:
                mark[other], sum_dot[other], sum_support[other] = 1, 0.0, 0
            sum_dot[other] += dot[cell]
            sum_support[other] += support[cell]
        base, end = row_start[row], row_start[row] + row_size[row]
        cell = base
        while cell < end:
            other = row_item[cell]
            if mark[other] == 1:
                mark[other] = 2
                row_dot[cell] += sum_dot[other]
                row_support[cell] += sum_support[other]
                if row_support[cell] == 0:
                    end -= 1
                    row_item[cell], row_dot[cell] = row_item[end], row_dot[end]
                    row_support[cell] = row_support[end]
                    continue
            cell += 1
        row_size[row] = end - base
        front = starts[place]
        for cell in range(starts[place], starts[place + 1]):
            other = item[cell]
            if mark[other] == 1 and sum_support[other] != 0:
                item[front], support[front] = other, sum_support[other]
                dot[front] = sum_dot[other]
                front += 1
            mark[other] = 0
        new[place] = front - starts[place]
    return new


@compiled
def _append(
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
    for place in range(len(rows)):
        end = row_start[rows[place]] + row_size[rows[place]]
        for cell in range(starts[place], starts[place] + new[place]):
            row_item[end], row_support[end], row_dot[end] = item[cell], support[cell], dot[cell]
            end += 1
        row_size[rows[place]] += new[place]


@compiled
def _advance(
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
