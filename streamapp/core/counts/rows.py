"""The rows of one shard: the dots and supports of its items with all others.

Rows lie one behind the other in an arena. A row that outgrows its place moves to the end, and the
arena is packed anew when more than half of it is holes. Which rows are here is a matter of memory:
a row that is absent lives in the store.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streamapp.core.arrays.dtypes import Bools, Floats, Ints, Longs, column, resized
from streamapp.core.counts.row_kernels import advance, append, expand, merge, move, neighbouring
from streamapp.core.messages.delta import Blocks

CELL = np.dtype([("item", "<i4"), ("support", "<i4"), ("dot", "<f8")])
"""One cell of a stored row, 16 bytes."""


class Cells(NamedTuple):
    """Changes of cells, grouped by row.

    Attributes:
        rows: int32, in order of first appearance.
        starts: int64, shape (rows + 1,). Those of rows[k] lie at starts[k]:starts[k + 1].
        item: int32. May occur several times in a group.
        support: int32. Change of the users behind the pair.
        dot: float64. Change of the dot.
    """

    rows: Ints
    starts: Longs
    item: Ints
    support: Ints
    dot: Floats


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
        self._scratch_count: Longs = np.zeros(0, np.int64)

    def reserve(self, items: int) -> None:
        """Make room for the numbers below `items`."""
        self._reserve_rows(items)
        self._reserve_sums(items)

    def _reserve_rows(self, items: int) -> None:
        for name in ("size", "present", "position", "as_of", "_start", "_room", "_scratch_count"):
            setattr(self, name, resized(getattr(self, name), items))

    def _reserve_sums(self, numbers: int) -> None:
        """Make room to sum up cells that name numbers below `numbers`."""
        for name in ("_scratch_dot", "_scratch_support", "_scratch_mark"):
            setattr(self, name, resized(getattr(self, name), numbers))

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
            move(column(cells, name), array, source,
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
        touched, starts, item, support, dot = self._expand(blocks, offset, owned)
        new = merge(touched, starts, item, support, dot, self._start, self.size,
                     self._item, self._support, self._dot,
                     self._scratch_dot, self._scratch_support, self._scratch_mark)  # fmt: skip
        self._place(touched, self.size[touched] + new)
        append(touched, starts, new, item, support, dot, self._start, self.size,
                self._item, self._support, self._dot)  # fmt: skip
        advance(blocks.changed_ends, blocks.changed, blocks.kept_ends, blocks.kept,
                 blocks.as_of, owned, self.position, self.as_of, offset)  # fmt: skip
        return touched

    def touching(self, numbers: Ints, moved: Bools) -> Bools:
        """Say of each row that is present whether one of its cells is of what moved."""
        return neighbouring(numbers, self._start, self.size, self._item, moved)

    def _expand(self, blocks: Blocks, offset: int, owned: Bools) -> Cells:
        """Return what `blocks` change in the owned rows that are not beyond `offset`."""
        return Cells(*expand(
            blocks.changed_ends, blocks.changed, blocks.before, blocks.after,
            blocks.kept_ends, blocks.kept, blocks.rating, owned, self.position, offset,
            self._scratch_count,
        ))  # fmt: skip

    def _place(self, numbers: Ints, needed: Longs) -> None:
        """Give every row room for `needed` cells, moving those that lack it to the arena's end."""
        if self._end + int(_room_for(needed).sum()) > len(self._item):
            self._renew(int(_room_for(needed).sum()))
        tight = needed > self._room[numbers]
        numbers, room = numbers[tight], _room_for(needed[tight])
        starts = self._end + np.cumsum(room) - room
        for array in (self._item, self._support, self._dot):
            move(array, array, self._start[numbers], starts, self.size[numbers])
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
            move(old, new, self._start[numbers], starts, self.size[numbers])
            setattr(self, name, new)
        self._room[:] = 0
        self._start[numbers], self._room[numbers], self._end = starts, room, end


def _room_for(cells: Longs) -> Longs:
    return cells + cells // 4 + 4
