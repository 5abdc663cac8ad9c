"""Sums of squares and user counts of every item, and which of them moved."""

from dataclasses import dataclass

import numpy as np

from streamapp.core.arrays.compiled import compiled
from streamapp.core.arrays.dtypes import Bools, Floats, Ints, Longs, records, resized
from streamapp.core.messages.delta import Blocks

NORM = np.dtype([("position", ">u8"), ("sum_sq", "<f8"), ("users", "<i8")])
"""One stored norm, 24 bytes; its place in the array is the item's number."""


@dataclass(slots=True)
class Norms:
    """What the norm of every item rests on.

    Attributes:
        position: int64, shape (>= items,). Where each norm was stored: it holds every delta of its
            shard's log below this offset, and may be ahead of what is applied.
        furthest: The largest of these positions; 0 without any.
        sum_sq: float64, shape (>= items,). Sum over users of rating squared; 0 without users.
        users: int64, shape (>= items,). Users whose history holds the item.
        moved: bool. Items whose `sum_sq` changed since `settle`.
        fell: bool. Those of them whose `sum_sq` became smaller at least once.
        unsaved: bool. Items that changed since `packed`.
    """

    position: Longs
    furthest: int
    sum_sq: Floats
    users: Longs
    moved: Bools
    fell: Bools
    unsaved: Bools

    @classmethod
    def unpack(cls, packed: bytes) -> "Norms":
        """Return the norms that `packed`, an array of `NORM`, holds."""
        stored = np.frombuffer(packed, NORM)
        flags = [np.zeros(len(stored), np.bool_) for _ in range(3)]
        position = stored["position"].astype(np.int64)
        furthest = int(position.max(initial=0))
        return cls(position, furthest, stored["sum_sq"].copy(), stored["users"].copy(), *flags)

    def reserve(self, items: int) -> None:
        """Make room for the numbers below `items`."""
        for name in ("position", "sum_sq", "users", "moved", "fell", "unsaved"):
            setattr(self, name, resized(getattr(self, name), items))

    def apply(self, blocks: Blocks, offset: int) -> None:
        """Add the rating changes of `blocks`, the delta at `offset`; norms beyond it stay."""
        _apply(blocks.changed, blocks.before, blocks.after, self.position, offset,
               self.sum_sq, self.users, self.moved, self.fell, self.unsaved)  # fmt: skip

    def packed_changes(self, position: int) -> list[tuple[int, bytes]]:
        """Return (item number, packed `NORM`) of every item that changed, and forget which did.

        Args:
            position: What they are complete for.
        """
        numbers = np.flatnonzero(self.unsaved)
        packed = np.empty(len(numbers), NORM)
        packed["position"] = position
        packed["sum_sq"], packed["users"] = self.sum_sq[numbers], self.users[numbers]
        self.unsaved[numbers] = False
        return records(numbers, packed)


@compiled
def _apply(
    changed: Ints,
    before: Floats,
    after: Floats,
    position: Longs,
    offset: int,
    sum_sq: Floats,
    users: Longs,
    moved: Bools,
    fell: Bools,
    unsaved: Bools,
) -> None:
    for entry in range(len(changed)):
        item = changed[entry]
        moved[item] = True
        if after[entry] < before[entry]:
            fell[item] = True
        if position[item] > offset:
            continue
        unsaved[item] = True
        users[item] += (after[entry] > 0) - (before[entry] > 0)
        if users[item] == 0:
            sum_sq[item] = 0.0
        else:
            sum_sq[item] += after[entry] * after[entry] - before[entry] * before[entry]
