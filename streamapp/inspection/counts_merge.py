"""Merges the counts of all shards under one numbering of the items."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamapp.core.arrays.array_types import Bools, Floats, Ints, Longs
from streamapp.core.arrays.growing import grown
from streamapp.core.counts.decayed_norms import DecayedNorms
from streamapp.core.counts.decayed_rows import by_item
from streamapp.core.counts.norms import Norms
from streamapp.core.counts.rows import CELL
from streamapp.errors import StateError
from streamapp.inspection.row_sizes import packed_cells
from streamapp.store.slot.slot import Slot

_ITEM = np.dtype([("sum_sq", "<f8"), ("users", "<i8"), ("exponent", "<i8")])


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of items; every pair has two cells, one in each row.

    Attributes:
        items: Ids of the items with at least one user or cell, in byte order. The index of an item
            is its number.
        sum_sq: float64, shape (items,).
        users: int64, shape (items,). Users whose history holds the item.
        indptr: int64, shape (items + 1,). The cells of item i lie at indptr[i]:indptr[i + 1].
        indices: int32, shape (cells,). Numbers of the other items, rising within a row.
        dot: float64, shape (cells,).
        support: int32, shape (cells,). Users behind the pair.
        exponent: int64, shape (items,). With a half-life, the ratings of each item are in units of
            2 to the power of this, in `sum_sq` and in `dot`; None without one. A value that is too
            small beside the norms is 0.
    """

    items: list[str]
    sum_sq: Floats
    users: Longs
    indptr: Longs
    indices: Ints
    dot: Floats
    support: Ints
    exponent: Longs | None = None

    @property
    def rows(self) -> Ints:
        """The number of the item whose row each cell is in, int32, shape (cells,)."""
        return np.repeat(np.arange(len(self.items), dtype=np.int32), np.diff(self.indptr))


class CountsMerge:
    """Merges the counts of the shards under one numbering of the items.

    Every shard has its own number for an item. `enter` reads the items of one shard, then `add`
    takes its rows.
    """

    def __init__(self, shards: int) -> None:
        self.shards = shards
        self.rows = 0
        self._numbers: dict[str, int] = {}
        self._places: Ints = np.zeros(0, np.int32)
        self._norms = np.zeros(0, _ITEM)
        self._first = np.zeros(0, _ITEM)
        self._seen: Ints = np.zeros(0, np.int32)
        self._disputed: Bools = np.zeros(0, np.bool_)
        self._own: Norms | None = None
        self._row: list[Ints] = []
        self._cell: list[Any] = []

    def enter(self, ids: Sequence[str], own: Norms, owned: Ints) -> None:
        """Read the items of the next shard, the norm of each, and which of them it owns."""
        known = min(len(ids), len(own.users))
        norms = np.zeros(len(ids), _ITEM)
        norms["sum_sq"][:known], norms["users"][:known] = own.sum_sq[:known], own.users[:known]
        if isinstance(own, DecayedNorms):
            own.reserve(max(len(ids), len(own.users)))
            norms["exponent"][:known] = own.exponent[:known]
        self._own, numbers = own, self._numbers
        places = np.array([numbers.setdefault(item, len(numbers)) for item in ids], np.int32)
        for name in ("_norms", "_first", "_seen", "_disputed"):
            setattr(self, name, grown(getattr(self, name), len(numbers)))
        new = self._seen[places] == 0
        self._first[places[new]] = norms[new]
        first = self._first[places]
        same = np.isclose(first["sum_sq"], norms["sum_sq"], rtol=1e-9, atol=1e-12)
        for name in ("users", "exponent"):
            same &= first[name] == norms[name]
        self._disputed[places] |= ~same
        self._seen[places] += 1
        self._norms[places[owned]] = norms[owned]
        self._places = places

    def add(
        self, slot: Slot, rows: Ints, blobs: Sequence[tuple[int, bytes] | None], position: int
    ) -> None:
        """Take rows of the shard that entered last.

        Raises:
            StateError: a blob is ahead of the shard's position, or is no row.
        """
        packed, sizes = [], np.zeros(len(rows), np.int64)
        for place, blob in enumerate(blobs):
            if blob is None:
                continue
            at, content = blob
            where = slot.keys.blob(int(rows[place]))
            if at > position:
                raise StateError(
                    f"{where} is at offset {at}, ahead of its shard at {position}: "
                    "the state still changes; is a worker running?"
                )
            try:
                packed.append(packed_cells(content))
            except ValueError as error:
                raise StateError(f"{where} is no row: {error}") from None
            sizes[place] = len(packed[-1]) // CELL.itemsize
        self.rows += len(packed)
        cells, own = np.frombuffer(b"".join(packed), CELL).copy(), np.repeat(rows, sizes)
        if isinstance(self._own, DecayedNorms):
            if not _all_below(self._own.eras.size, cells["item"]):
                raise StateError(f"{slot.keys.norms} lacks what a row of its shard holds")
            own, cells = by_item(self._own, own, cells)
        if not _all_below(len(self._places), cells["item"]):
            raise StateError(f"{slot.keys.items} lacks an item that a row of its shard holds")
        cells["item"] = self._places[cells["item"]]
        self._row.append(self._places[own])
        self._cell.append(cells)

    def finish(self) -> tuple[Counts, list[str]]:
        """Return the counts, and the items whose norm is not the same in all shards."""
        ids = list(self._numbers)
        row = np.concatenate([np.zeros(0, np.int32), *self._row])
        cells = np.concatenate([np.zeros(0, CELL), *self._cell])
        norms, seen = self._norms[: len(ids)], self._seen[: len(ids)]
        alive = norms["users"] > 0
        alive[row], alive[cells["item"]] = True, True
        disputed = self._disputed[: len(ids)] | (alive & (seen < self.shards))
        order = sorted(np.flatnonzero(alive).tolist(), key=ids.__getitem__)
        rank = np.zeros(len(ids), np.int32)
        rank[order] = np.arange(len(order))
        row, other = rank[row], rank[cells["item"]]
        at = np.argsort(row.astype(np.int64) * len(order) + other)
        counts = Counts(
            items=[ids[number] for number in order],
            sum_sq=norms["sum_sq"][order],
            users=norms["users"][order],
            indptr=np.concatenate(([0], np.cumsum(np.bincount(row, minlength=len(order))))),
            indices=other[at],
            dot=cells["dot"][at],
            support=cells["support"][at],
            exponent=norms["exponent"][order] if isinstance(self._own, DecayedNorms) else None,
        )
        return counts, [ids[number] for number in np.flatnonzero(disputed).tolist()]


def _all_below(size: int, numbers: Ints) -> bool:
    return not len(numbers) or bool(0 <= numbers.min() <= numbers.max() < size)
