"""Norms where interactions fade: sums of squares by age, and what they come to by item."""

from math import ldexp

import numpy as np

from streamapp.core.arrays.compiled import compiled
from streamapp.core.arrays.dtypes import Bools, Floats, Ints, Longs, column, records, resized
from streamapp.core.counts.era_index import EraIndex
from streamapp.core.counts.norms import Norms
from streamapp.core.histories.decay import AGE_BITS, AGE_WIDTH, product, split
from streamapp.core.messages.delta import Blocks

DECAYED_NORM = np.dtype(
    [("position", ">u8"), ("sum_sq", "<f8"), ("users", "<i8"), ("item", "<i4"), ("age", "<i4")]
)
"""One stored norm at an age, 32 bytes; its place in the array is the number of the aged item."""


class DecayedNorms(Norms):
    """What the norm of every item rests on, where interactions fade.

    `users`, `moved` and `fell` are by item, and so is `sum_sq`, in units of
    `2 ** (AGE_WIDTH * age)`. `position` and `unsaved` are by aged item: every one is stored, that
    which only a row names too, so that the numbers which rows use are those of the table.

    Attributes:
        ages: The aged items.
        age: int32 by item. The newest age at which an item has users.
    """

    __slots__ = ("_aged_sum_sq", "_aged_users", "age", "ages")

    def __init__(self, ages: EraIndex, position: Longs, sum_sq: Floats, users: Longs) -> None:
        items = len(ages.chains[0])
        super().__init__(
            position, int(position.max(initial=0)), np.zeros(items), np.zeros(items, np.int64),
            np.zeros(items, np.bool_), np.zeros(items, np.bool_), np.zeros(ages.size, np.bool_),
        )  # fmt: skip
        self.ages = ages
        self.age: Ints = np.zeros(items, np.int32)
        self._aged_sum_sq, self._aged_users = sum_sq, users
        self._total(np.arange(items, dtype=np.int32))

    @classmethod
    def unpack(cls, packed: bytes) -> "DecayedNorms":
        """Return the norms that `packed`, an array of `DECAYED_NORM`, holds."""
        stored = np.frombuffer(packed, DECAYED_NORM)
        ages = EraIndex(column(stored, "item"), column(stored, "age"))
        position = stored["position"].astype(np.int64)
        return cls(ages, position, stored["sum_sq"].copy(), stored["users"].copy())

    @property
    def exponent(self) -> Longs:
        """int64 by item: `sum_sq` is in units of 2 to the power of twice this."""
        exponent: Longs = AGE_WIDTH // 2 * self.age.astype(np.int64)
        return exponent

    def reserve(self, items: int) -> None:
        """Make room for the items below `items`."""
        for name in ("sum_sq", "users", "moved", "fell", "age"):
            setattr(self, name, resized(getattr(self, name), items))
        self.ages.reserve(items)

    def apply(self, blocks: Blocks, offset: int) -> None:
        """Add the changes of `blocks`, the delta at `offset`; norms beyond it stay."""
        columns = [split(levels) for levels in (blocks.before, blocks.after)]
        item = np.concatenate((blocks.changed, blocks.changed))
        whole, rest = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        there = rest > 0
        gained = np.repeat(np.array([-1, 1], np.int64), len(blocks.changed))
        numbers = self.ages.number(item[there], 2 * whole[there] >> AGE_BITS)
        self.fit()
        _add(numbers, whole[there], rest[there], gained[there], self.position, offset,
             self._aged_sum_sq, self._aged_users, self.unsaved)  # fmt: skip
        self.moved[blocks.changed] = True
        self.fell[blocks.changed[blocks.after < blocks.before]] = True
        self._total(np.unique(blocks.changed))

    def fit(self) -> None:
        """Make room for aged items that are new; they are to be stored."""
        known, room = len(self.unsaved), self.ages.size
        for name in ("position", "_aged_sum_sq", "_aged_users", "unsaved"):
            setattr(self, name, resized(getattr(self, name), room))
        self.unsaved[known:] = True

    def packed_changes(self, position: int) -> list[tuple[int, bytes]]:
        """Return (number, packed `DECAYED_NORM`) of each that changed, and forget which did.

        Args:
            position: What they are complete for.
        """
        numbers = np.flatnonzero(self.unsaved)
        packed = np.empty(len(numbers), DECAYED_NORM)
        packed["position"] = position
        packed["sum_sq"], packed["users"] = self._aged_sum_sq[numbers], self._aged_users[numbers]
        packed["item"], packed["age"] = self.ages.item[numbers], self.ages.age[numbers]
        self.unsaved[numbers] = False
        return records(numbers, packed)

    def _total(self, items: Ints) -> None:
        """Sum up what items have at their ages. Cost: O(ages of these items)."""
        _sum_up(items, *self.ages.chains, self.ages.age, self._aged_sum_sq, self._aged_users,
                self.sum_sq, self.users, self.age)  # fmt: skip


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
    ages: Ints,
    aged_sum_sq: Floats,
    aged_users: Longs,
    sum_sq: Floats,
    users: Longs,
    age: Ints,
) -> None:
    for item in items:
        newest, held = -1, 0
        number = last[item] - 1
        while number >= 0:
            if aged_users[number] > 0:
                newest = max(newest, ages[number])
                held += aged_users[number]
            number = before[number] - 1
        total, number = 0.0, last[item] - 1
        while number >= 0:
            if aged_users[number] > 0:
                total += ldexp(aged_sum_sq[number], AGE_WIDTH * (ages[number] - newest))
            number = before[number] - 1
        sum_sq[item], users[item], age[item] = total, held, max(newest, 0)
