"""Sums of squares and user counts by item."""

import numpy as np

from streamapp.core.arrays.array_types import Bools, Floats, Ints, Longs
from streamapp.core.arrays.compiled import compiled
from streamapp.core.arrays.record_table import RecordTable
from streamapp.core.messages.delta import Blocks

NORM = np.dtype([("position", ">u8"), ("sum_sq", "<f8"), ("users", "<i8")])
"""The stored norm of an item, 24 bytes; its index in the stored array is the item's number."""


class Norms(RecordTable):
    """The norm of every item that the shard knows, its own or not.

    The arrays have at least as many entries as the shard knows items.

    Args:
        packed: An array of `NORM`, as a slot stores it.
    """

    def __init__(self, packed: bytes = b"") -> None:
        super().__init__(NORM, packed, flags=("changed", "decreased"))

    @property
    def sum_sq(self) -> Floats:
        """float64 by item. Sum over users of the squared rating; 0 for an item without users."""
        return self._columns["sum_sq"]

    @property
    def users(self) -> Longs:
        """int64 by item. Users whose history holds the item."""
        return self._columns["users"]

    @property
    def changed(self) -> Bools:
        """Bool by item. Items whose `sum_sq` or visibility changed since `take_changes`."""
        return self._columns["changed"]

    @property
    def decreased(self) -> Bools:
        """Bool by item. Those of them whose `sum_sq` fell, or that are shown again."""
        return self._columns["decreased"]

    def mark_changed(self, items: Ints, *, decreased: Ints) -> None:
        """Mark items as changed, and some of them also as decreased."""
        self.changed[items] = True
        self.decreased[decreased] = True

    def take_changes(self) -> tuple[Bools, Bools]:
        """Return copies of `changed` and `decreased`, and clear both."""
        taken = self.changed.copy(), self.decreased.copy()
        self.changed[:] = False
        self.decreased[:] = False
        return taken

    def apply(self, blocks: Blocks, offset: int) -> None:
        """Add the rating changes of the delta at `offset`; norms that include it stay.

        Args:
            blocks: The delta's rating changes.
            offset: Of the delta in the shard's log.

        Cost: O(changed ratings).
        """
        _apply(blocks.changed, blocks.before, blocks.after, self.position, offset,
               self.sum_sq, self.users, self.changed, self.decreased, self.unsaved)  # fmt: skip


@compiled
def _apply(
    items: Ints,
    before: Floats,
    after: Floats,
    position: Longs,
    offset: int,
    sum_sq: Floats,
    users: Longs,
    changed: Bools,
    decreased: Bools,
    unsaved: Bools,
) -> None:
    for entry in range(len(items)):
        item = items[entry]
        changed[item] = True
        if after[entry] < before[entry]:
            decreased[item] = True
        if position[item] > offset:
            continue
        unsaved[item] = True
        users[item] += (after[entry] > 0) - (before[entry] > 0)
        if users[item] == 0:
            sum_sq[item] = 0.0
        else:
            sum_sq[item] += after[entry] * after[entry] - before[entry] * before[entry]
