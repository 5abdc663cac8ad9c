"""Norms with decay: sums of squares by item era, and their totals by item."""

from math import ldexp
from typing import Any

import numpy as np
import numpy.typing as npt

from streamapp.core.arrays.array_types import Bools, Floats, Ints, Longs
from streamapp.core.arrays.columns import Columns, column
from streamapp.core.arrays.compiled import compiled
from streamapp.core.arrays.record_table import RecordTable
from streamapp.core.counts.era_index import EraIndex
from streamapp.core.counts.norms import FLAGS, Norms
from streamapp.core.histories.decay import ERA_BITS, ERA_WIDTH, product, split
from streamapp.core.messages.norm_values import NormValues
from streamapp.core.messages.rating_blocks import Blocks

DECAYED_NORM = np.dtype(
    {
        "names": ["position", "sum_sq", "users", "taken", "item", "era"],
        "formats": [">u8", "<f8", "<i4", "?", "<i4", "<i4"],
        "offsets": [0, 8, 16, 20, 24, 28],
        "itemsize": 32,
    }
)
"""The stored norm of an item era, 32 bytes; its index in the stored array is the era's number."""


class DecayedNorms(Norms):
    """The norm of every item, where ratings decay.

    The inherited arrays by item have the totals. `sum_sq` of an item is in units of
    `2 ** (ERA_WIDTH * era)`. `position` and `unsaved` are by number
    of the item era. Every item era is stored, even one that only a row refers to, because rows
    refer to item eras by these numbers.

    Args:
        packed: An array of `DECAYED_NORM`, as a slot stores it.

    Attributes:
        eras: The item eras.
    """

    def __init__(self, packed: bytes = b"") -> None:
        RecordTable.__init__(self, DECAYED_NORM, packed, computed=("item", "era"), wider=("users",))
        stored = np.frombuffer(packed, DECAYED_NORM)
        self.eras = EraIndex(column(stored, "item"), column(stored, "era"))
        self._items = Columns(
            {"sum_sq": np.float64, "users": np.int64, "era": np.int32}
            | dict.fromkeys((*FLAGS, "taken"), np.bool_),
            len(self.eras.chains[0]),
        )
        self._total(np.arange(len(self._items), dtype=np.int32))
        self.taken[self.eras.item[self._columns["taken"]]] = True

    @property
    def sum_sq(self) -> Floats:
        """float64 by item. See the class for the unit."""
        return self._items["sum_sq"]

    @property
    def users(self) -> Longs:
        """int64 by item. Users whose history holds the item."""
        return self._items["users"]

    @property
    def era(self) -> Ints:
        """int32 by item. The newest era in which the item has users."""
        return self._items["era"]

    @property
    def exponent(self) -> Longs:
        """int64 by item. `sum_sq` is in units of 2 to the power of twice this."""
        exponent: Longs = ERA_WIDTH // 2 * self.era.astype(np.int64)
        return exponent

    @property
    def _by_item(self) -> Columns:
        return self._items

    def reserve(self, size: int) -> None:
        """Make the items below `size` valid."""
        self._items.reserve(size)
        self.eras.reserve(size)

    def apply(self, blocks: Blocks, offset: int, counted: Bools) -> None:
        """Add the rating changes of the delta at `offset`; norms that include it stay.

        Args:
            blocks: The delta's rating changes.
            offset: Of the delta in the shard's log.
            counted: Bool by item. Items whose norm the shard counts.

        Cost: O(changed ratings + eras of the changed items).
        """
        own = counted[blocks.changed]
        changed, before, after = blocks.changed[own], blocks.before[own], blocks.after[own]
        others, level, seen = self._others(blocks, counted)
        # Both ratings of a change follow each other. A user may occur twice, and an item without
        # users loses its sum.
        levels = np.concatenate((np.stack((before, after), 1).ravel(), level))
        whole, rest = split(levels)
        item = np.concatenate((np.repeat(changed, 2), others))
        gained = np.ones(len(item), np.int64)
        gained[: 2 * len(changed) : 2] = -1
        gained[2 * len(changed) :][~seen] = 0
        rated = rest > 0
        # A rating that adds to nothing numbers its era, too. After a crash the stored norms may be
        # ahead of the message, but numbers must depend on the log alone.
        numbers = self.eras.number(item[rated], 2 * whole[rated] >> ERA_BITS)
        self.add_new_eras()
        _add(numbers, whole[rated], rest[rated], gained[rated], self.position, offset,
             self._columns["sum_sq"], self._columns["users"], self.unsaved)  # fmt: skip
        others = others[seen]
        self.mark_changed(changed, decreased=changed[after < before])
        self.mark_changed(others, decreased=others[:0])
        self.unshared[changed] = True
        self._total(np.unique(np.concatenate((changed, others))))

    def _others(self, blocks: Blocks, counted: Bools) -> tuple[Ints, Floats, Bools]:
        """Return the ratings of items of other shards.

        Returns:
            Items, their ratings, and which of these add to the estimate of a norm that was not
            taken.
        """
        items = np.concatenate((blocks.changed, blocks.kept))
        before = np.concatenate((blocks.before, blocks.rating))
        after = np.concatenate((blocks.after, blocks.rating))
        rated = ~counted[items] & (after > 0)
        items, before, after = items[rated], before[rated], after[rated]
        seen = ~self.taken[items] & ((before == 0) | (self.users[items] == 0))
        return items, after, seen

    def take(self, items: Ints, values: NormValues, offset: int) -> None:
        """Take the norms of items of other shards, from the message at `offset`.

        The total of an item becomes the sum of one of its eras, and the other eras become empty.

        Args:
            items: int32. Item numbers, each once.
            values: Their norms.
            offset: Of the message in the shard's log.

        Cost: O(eras of the items).
        """
        differs = values.differs(self.values(items))
        below = values.below(self.values(items))
        numbers = self.eras.number(items, values.era)
        self.add_new_eras()
        last, before = self.eras.chains
        ahead = _replace(items, numbers, values.sum_sq, values.users, offset, last, before,
                         self.position, self._columns["sum_sq"], self._columns["users"],
                         self._columns["taken"], self.unsaved)  # fmt: skip
        self.mark_changed(items[differs | ahead], decreased=items[(differs & below) | ahead])
        self.taken[items] = True
        self._total(items)

    def add_new_eras(self) -> None:
        """Add a record for each item era that is new in `eras`."""
        known = len(self.unsaved)
        self._columns.reserve(self.eras.size)
        self.unsaved[known:] = True

    def _eras(self, items: Ints) -> Ints:
        return self.era[items]

    def _pack(self, numbers: Longs, packed: npt.NDArray[Any]) -> None:
        super()._pack(numbers, packed)
        packed["item"], packed["era"] = self.eras.item[numbers], self.eras.era[numbers]

    def _total(self, items: Ints) -> None:
        """Sum up the eras of each of `items`. Cost: O(their eras)."""
        _sum_up(items, *self.eras.chains, self.eras.era, self._columns["sum_sq"],
                self._columns["users"], self.sum_sq, self.users, self.era)  # fmt: skip


@compiled
def _add(
    numbers: Ints,
    whole: Ints,
    rest: Floats,
    gained: Longs,
    position: Longs,
    offset: int,
    sum_sq: Floats,
    users: Longs,
    unsaved: Bools,
) -> None:
    for entry in range(len(numbers)):
        number = numbers[entry]
        if gained[entry] == 0 or position[number] > offset:
            continue
        unsaved[number] = True
        users[number] += gained[entry]
        square = product(2 * whole[entry], rest[entry], rest[entry])
        sum_sq[number] = sum_sq[number] + gained[entry] * square if users[number] else 0.0


@compiled
def _replace(
    items: Ints,
    numbers: Ints,
    sum_sq: Floats,
    users: Longs,
    offset: int,
    last: Ints,
    before: Ints,
    position: Longs,
    era_sum_sq: Floats,
    era_users: Longs,
    era_taken: Bools,
    unsaved: Bools,
) -> Bools:
    """Replace the eras of each item by one; an era that was stored ahead stays.

    Returns:
        Bool by line: items with an era that was stored ahead.
    """
    ahead = np.zeros(len(items), np.bool_)
    for line in range(len(items)):
        number = last[items[line]] - 1
        while number >= 0:
            if position[number] > offset:
                ahead[line] = True
            else:
                era_sum_sq[number], era_users[number] = 0.0, 0
                if number == numbers[line]:
                    era_sum_sq[number], era_users[number] = sum_sq[line], users[line]
                era_taken[number], unsaved[number] = True, True
            number = before[number] - 1
    return ahead


@compiled
def _sum_up(
    items: Ints,
    last: Ints,
    before: Ints,
    eras: Ints,
    era_sum_sq: Floats,
    era_users: Longs,
    sum_sq: Floats,
    users: Longs,
    era: Ints,
) -> None:
    for item in items:
        newest, held = -1, 0
        number = last[item] - 1
        while number >= 0:
            if era_users[number] > 0:
                newest = max(newest, eras[number])
                held += era_users[number]
            number = before[number] - 1
        total, number = 0.0, last[item] - 1
        while number >= 0:
            if era_users[number] > 0:
                total += ldexp(era_sum_sq[number], ERA_WIDTH * (eras[number] - newest))
            number = before[number] - 1
        sum_sq[item], users[item], era[item] = total, held, max(newest, 0)
