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
from streamapp.core.counts.norms import Norms
from streamapp.core.histories.decay import ERA_BITS, ERA_WIDTH, product, split
from streamapp.core.messages.delta import Blocks

DECAYED_NORM = np.dtype(
    [("position", ">u8"), ("sum_sq", "<f8"), ("users", "<i8"), ("item", "<i4"), ("era", "<i4")]
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
        RecordTable.__init__(self, DECAYED_NORM, packed, computed=("item", "era"))
        stored = np.frombuffer(packed, DECAYED_NORM)
        self.eras = EraIndex(column(stored, "item"), column(stored, "era"))
        self._items = Columns(
            {"sum_sq": np.float64, "users": np.int64, "era": np.int32,
             "changed": np.bool_, "decreased": np.bool_},
            len(self.eras.chains[0]),
        )  # fmt: skip
        self._total(np.arange(len(self._items), dtype=np.int32))

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
    def changed(self) -> Bools:
        """Bool by item, as in `Norms`."""
        return self._items["changed"]

    @property
    def decreased(self) -> Bools:
        """Bool by item, as in `Norms`."""
        return self._items["decreased"]

    @property
    def exponent(self) -> Longs:
        """int64 by item. `sum_sq` is in units of 2 to the power of twice this."""
        exponent: Longs = ERA_WIDTH // 2 * self.era.astype(np.int64)
        return exponent

    def reserve(self, size: int) -> None:
        """Make the items below `size` valid."""
        self._items.reserve(size)
        self.eras.reserve(size)

    def apply(self, blocks: Blocks, offset: int) -> None:
        """Add the rating changes of the delta at `offset`; norms that include it stay.

        Args:
            blocks: The delta's rating changes.
            offset: Of the delta in the shard's log.

        Cost: O(changed ratings + eras of the changed items).
        """
        columns = [split(levels) for levels in (blocks.before, blocks.after)]
        item = np.concatenate((blocks.changed, blocks.changed))
        whole, rest = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        rated = rest > 0
        gained = np.repeat(np.array([-1, 1], np.int64), len(blocks.changed))
        numbers = self.eras.number(item[rated], 2 * whole[rated] >> ERA_BITS)
        self.add_new_eras()
        _add(numbers, whole[rated], rest[rated], gained[rated], self.position, offset,
             self._columns["sum_sq"], self._columns["users"], self.unsaved)  # fmt: skip
        self.mark_changed(blocks.changed, decreased=blocks.changed[blocks.after < blocks.before])
        self._total(np.unique(blocks.changed))

    def add_new_eras(self) -> None:
        """Add a record for each item era that is new in `eras`."""
        known = len(self.unsaved)
        self._columns.reserve(self.eras.size)
        self.unsaved[known:] = True

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
        if position[number] > offset:
            continue
        unsaved[number] = True
        users[number] += gained[entry]
        square = product(2 * whole[entry], rest[entry], rest[entry])
        sum_sq[number] = sum_sq[number] + gained[entry] * square if users[number] else 0.0


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
