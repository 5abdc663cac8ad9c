"""The rows of one shard: the dots and supports of its items with all other items.

Rows lie one behind the other in an arena. A row that outgrows its space moves to the end. The arena
is copied without holes when it is full. A row that is absent from memory is in the store.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streamapp.core.arrays.array_types import Bools, Floats, Ints, Longs
from streamapp.core.arrays.columns import Columns, column
from streamapp.core.counts.norms import Norms
from streamapp.core.counts.row_kernels import advance, append, expand, merge, move, neighbouring
from streamapp.core.messages.rating_blocks import Blocks

CELL = np.dtype([("item", "<i4"), ("support", "<i4"), ("dot", "<f8")])
"""One cell of a stored row, 16 bytes."""


class CellChanges(NamedTuple):
    """Changes of cells, grouped by row.

    Attributes:
        rows: int32, in order of first appearance.
        starts: int64, shape (rows + 1,). Those of rows[k] lie at starts[k]:starts[k + 1].
        item: int32. An item may occur several times in a group.
        support: int32. Change of the users behind the pair.
        dot: float64. Change of the dot.
    """

    rows: Ints
    starts: Longs
    item: Ints
    support: Ints
    dot: Floats


class ScoredCells(NamedTuple):
    """Cells of rows with the sums of squares that normalize them, one cell for each other item.

    Attributes:
        starts: int64 by item. Where the cells of each row start.
        size: int32 by item. Cells of each row.
        item: int32. Item numbers.
        support: int32. Users behind the pair.
        dot: float64. Divided by the root of both items' `sum_sq` it is the cosine.
        sum_sq: float64 by item.
    """

    starts: Longs
    size: Ints
    item: Ints
    support: Ints
    dot: Floats
    sum_sq: Floats


class _Arena(NamedTuple):
    """The cells of all rows."""

    item: Ints
    support: Ints
    dot: Floats

    @classmethod
    def of(cls, cells: int) -> "_Arena":
        """Return an arena for so many cells, not initialized."""
        return cls(np.empty(cells, np.int32), np.empty(cells, np.int32), np.empty(cells))


class Rows:
    """Rows by item number."""

    def __init__(self) -> None:
        self._rows = Columns(
            {"size": np.int32, "present": np.bool_, "position": np.int64, "as_of": np.float64,
             "start": np.int64, "space": np.int32, "scratch": np.int64}
        )  # fmt: skip
        self._arena = _Arena.of(0)
        self._end = 0
        self._sums = Columns({"dot": np.float64, "support": np.int32, "seen": np.int64})

    @property
    def size(self) -> Ints:
        """int32 by item. Cells of each row; 0 for a row that is absent or empty."""
        return self._rows["size"]

    @property
    def present(self) -> Bools:
        """Bool by item. Rows that are in memory."""
        return self._rows["present"]

    @property
    def position(self) -> Longs:
        """int64 by item. A row includes every delta of its shard's log below this offset."""
        return self._rows["position"]

    @property
    def as_of(self) -> Floats:
        """float64 by item. Newest event time behind each row in seconds."""
        return self._rows["as_of"]

    @property
    def cells(self) -> tuple[Longs, Ints, Ints, Ints, Floats]:
        """Start and size of each row by item, and the arena: items, supports, dots."""
        return self._rows["start"], self.size, *self._arena

    def reserve(self, items: int) -> None:
        """Make the numbers below `items` valid."""
        self._rows.reserve(items)
        self._sums.reserve(items)

    def load(self, numbers: Ints, positions: Longs, as_of: Floats, packed: Sequence[bytes]) -> None:
        """Take rows into memory.

        Args:
            numbers: int32. Whose rows.
            positions: int64. The position of each.
            as_of: float64. Newest event time behind each in seconds.
            packed: The `CELL` records of each.

        Cost: O(cells).
        """
        cells = np.frombuffer(b"".join(packed), CELL)
        sizes = np.array([len(row) // CELL.itemsize for row in packed], np.int64)
        self._make_space(numbers, sizes)
        self.size[numbers], self.present[numbers] = sizes, True
        source = np.cumsum(sizes) - sizes
        for name, array in self._arena._asdict().items():
            move(column(cells, name), array, source,
                 self._rows["start"][numbers], self.size[numbers])  # fmt: skip
        self.position[numbers], self.as_of[numbers] = positions, as_of

    def pack(self, number: int) -> bytes:
        """Return the row as `CELL` records."""
        start = int(self._rows["start"][number])
        span = slice(start, start + int(self.size[number]))
        cells = np.empty(span.stop - start, CELL)
        cells["item"], cells["support"] = self._arena.item[span], self._arena.support[span]
        cells["dot"] = self._arena.dot[span]
        return cells.tobytes()

    def drop(self, numbers: Ints | Longs) -> None:
        """Remove rows from memory; the next copy of the arena reclaims their space."""
        self.present[numbers] = False
        self.size[numbers] = 0
        self._rows["space"][numbers] = 0

    def apply(self, blocks: Blocks, offset: int, owned: Bools) -> Ints:
        """Add the changes of `blocks` to the owned rows, all of which must be present.

        For one user, the dot of items i and j changes by `r_new(i) r_new(j) - r_old(i) r_old(j)`.
        In a block both are changed items, or one of them is kept, with one rating before and after.

        Args:
            blocks: Rating changes; a pair of items occurs once in a block.
            offset: Of the delta in the shard's log; rows that include it stay.
            owned: Bool by item. Items whose rows belong to this shard.

        Returns:
            int32: the rows that changed.

        Cost: O(pairs + cells of the changed rows).
        """
        rows, starts, item, support, dot = self._expand(blocks, offset, owned)
        sums = self._sums
        new = merge(rows, starts, item, support, dot, self._rows["start"], self.size, *self._arena,
                    sums["dot"], sums["support"], sums["seen"])  # fmt: skip
        self._make_space(rows, self.size[rows] + new)
        append(rows, starts, new, item, support, dot, self._rows["start"], self.size,
               *self._arena)  # fmt: skip
        advance(blocks.changed_ends, blocks.changed, blocks.kept_ends, blocks.kept,
                blocks.as_of, owned, self.position, self.as_of, offset)  # fmt: skip
        return rows

    def with_neighbours(self, numbers: Ints, items: Bools) -> Bools:
        """Say of each row, all present, whether one of its cells is for an item of `items`.

        Args:
            numbers: int32. Whose rows.
            items: Bool by item.

        Cost: O(cells).
        """
        return neighbouring(numbers, self._rows["start"], self.size, self._arena.item, items)

    def scored(self, numbers: Ints, norms: Norms) -> ScoredCells:
        """Return the cells of present rows as `rank` scores them.

        Args:
            numbers: int32. Whose rows.
            norms: Of all items.
        """
        return ScoredCells(*self.cells, norms.sum_sq)

    def _expand(self, blocks: Blocks, offset: int, owned: Bools) -> CellChanges:
        """Return the changes of the owned rows that do not include `offset`."""
        return CellChanges(*expand(
            blocks.changed_ends, blocks.changed, blocks.before, blocks.after,
            blocks.kept_ends, blocks.kept, blocks.rating, owned, self.position, offset,
            self._rows["scratch"],
        ))  # fmt: skip

    def _make_space(self, numbers: Ints, needed: Longs) -> None:
        """Give each row space for `needed` cells; a row without it moves to the arena's end."""
        start, space = self._rows["start"], self._rows["space"]
        if not (needed > space[numbers]).any():
            return
        # The copy leaves every row less space, so all of them count.
        if self._end + int(_space_for(needed).sum()) > len(self._arena.item):
            self._copy(int(_space_for(needed).sum()))
        tight = needed > space[numbers]
        numbers, wanted = numbers[tight], _space_for(needed[tight])
        starts = self._end + np.cumsum(wanted) - wanted
        for array in self._arena:
            move(array, array, start[numbers], starts, self.size[numbers])
        start[numbers], space[numbers] = starts, wanted
        self._end += int(wanted.sum())

    def _copy(self, extra: int) -> None:
        """Copy the rows without holes into a new arena, half as large again as they need."""
        numbers = np.flatnonzero(self.size)
        wanted = _space_for(self.size[numbers].astype(np.int64))
        starts, end = np.cumsum(wanted) - wanted, int(wanted.sum())
        start, space = self._rows["start"], self._rows["space"]
        arena = _Arena.of((end + extra) * 3 // 2)
        for name, old in self._arena._asdict().items():
            move(old, getattr(arena, name), start[numbers], starts, self.size[numbers])
        self._arena = arena
        space[:] = 0
        start[numbers], space[numbers], self._end = starts, wanted, end


def _space_for(cells: Longs) -> Longs:
    return cells + cells // 4 + 4
