"""Sums of squares and user counts by item."""

import numpy as np

from streamapp.core.arrays.array_types import Bools, Floats, Ints, Longs
from streamapp.core.arrays.columns import Columns
from streamapp.core.arrays.compiled import compiled
from streamapp.core.arrays.record_table import RecordTable
from streamapp.core.messages.norm_values import NormValues
from streamapp.core.messages.rating_blocks import Blocks

NORM = np.dtype(
    {
        "names": ["position", "sum_sq", "users", "taken"],
        "formats": [">u8", "<f8", "<i4", "?"],
        "offsets": [0, 8, 16, 20],
        "itemsize": 24,
    }
)
"""The stored norm of an item, 24 bytes; its index in the stored array is the item's number."""

FLAGS = "changed", "decreased", "unshared"
"""The columns by item that are not stored, bool."""


class Norms(RecordTable):
    """The norm of every item that the shard knows, its own or not.

    The shard counts the norms of its own items. Those of other items come from their owners
    (ADR-0021). Until the owner of an item has shared its norm, the shard has an estimate: it adds
    users that it sees with the item, and subtracts none. So an item with a dot has a norm over 0.
    With a norm of 0 it would leave lists that it has to enter when its norm is known, and a sweep
    would not look at them, because a norm that rises lets an item enter no list.
    The arrays have at least as many entries as the shard knows items.

    Args:
        packed: An array of `NORM`, as a slot stores it.
    """

    def __init__(self, packed: bytes = b"") -> None:
        super().__init__(NORM, packed, flags=FLAGS, wider=("users",))

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
        return self._by_item["changed"]

    @property
    def decreased(self) -> Bools:
        """Bool by item. Those of them whose `sum_sq` fell, or that are shown again."""
        return self._by_item["decreased"]

    @property
    def unshared(self) -> Bools:
        """Bool by item. Own items whose norm changed since other shards could learn it."""
        return self._by_item["unshared"]

    @property
    def taken(self) -> Bools:
        """Bool by item. Items whose norm came from the shard that counts it."""
        return self._by_item["taken"]

    @property
    def _by_item(self) -> Columns:
        """The columns that have an entry for each item."""
        return self._columns

    def take(self, items: Ints, values: NormValues, offset: int) -> None:
        """Take the norms of items of other shards, from the message at `offset`.

        A norm that was stored ahead of the message stays.

        Args:
            items: int32. Item numbers, each once.
            values: Their norms.
            offset: Of the message in the shard's log.
        """
        differs = values.differs(self.values(items))
        below = values.below(self.values(items))
        ahead = self.position[items] > offset
        self.mark_changed(items[differs | ahead], decreased=items[(differs & below) | ahead])
        items, values = items[~ahead], values.only(~ahead)
        self.sum_sq[items], self.users[items] = values.sum_sq, values.users
        self.taken[items] = True
        self.unsaved[items] = True

    def values(self, items: Ints) -> NormValues:
        """Return the norms of items."""
        return NormValues(self.sum_sq[items], self.users[items], self._eras(items))

    def _eras(self, items: Ints) -> Ints:
        """Return the era of each sum of squares, int32; 0 without decay."""
        return np.zeros(len(items), np.int32)

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

    def apply(self, blocks: Blocks, offset: int, counted: Bools) -> None:
        """Add the rating changes of the delta at `offset`; norms that include it stay.

        Args:
            blocks: The delta's rating changes.
            offset: Of the delta in the shard's log.
            counted: Bool by item. Items whose norm the shard counts.

        Cost: O(changed ratings).
        """
        _apply(blocks.changed, blocks.before, blocks.after, blocks.kept, blocks.rating,
               self.position, offset, counted, self.sum_sq, self.users, self.changed,
               self.decreased, self.unsaved, self.unshared, self.taken)  # fmt: skip


@compiled
def _apply(
    items: Ints,
    before: Floats,
    after: Floats,
    kept: Ints,
    rating: Floats,
    position: Longs,
    offset: int,
    counted: Bools,
    sum_sq: Floats,
    users: Longs,
    changed: Bools,
    decreased: Bools,
    unsaved: Bools,
    unshared: Bools,
    taken: Bools,
) -> None:
    for entry in range(len(items)):
        item = items[entry]
        if taken[item]:
            continue
        if not counted[item]:
            is_seen = after[entry] > 0 and (before[entry] == 0 or users[item] == 0)
            if is_seen and position[item] <= offset:
                changed[item], unsaved[item] = True, True
                users[item] += 1
                sum_sq[item] += after[entry] * after[entry]
            continue
        # Also a norm that was stored ahead, because its owner may not have shared it.
        changed[item], unshared[item] = True, True
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
    for entry in range(len(kept)):
        item = kept[entry]
        known = counted[item] or taken[item] or users[item] > 0
        if not known and position[item] <= offset:
            changed[item], unsaved[item] = True, True
            users[item], sum_sq[item] = 1, rating[entry] * rating[entry]
