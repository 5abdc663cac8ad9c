"""The norms of some items, as shards share them."""

from typing import NamedTuple

import numpy as np

from streamapp.core.arrays.array_types import Bools, Floats, Ints, Longs
from streamapp.core.histories.decay import ERA_WIDTH


class NormValues(NamedTuple):
    """Norms, one entry an item.

    Attributes:
        sum_sq: float64. Sum over users of the squared rating, in units of
            `2 ** (ERA_WIDTH * era)`.
        users: int64. Users whose history holds the item.
        era: int32. 0 without decay.
    """

    sum_sq: Floats
    users: Longs
    era: Ints

    def only(self, lines: Ints | Longs | Bools) -> "NormValues":
        """Return the norms of some of the items."""
        return NormValues(self.sum_sq[lines], self.users[lines], self.era[lines])

    def below(self, others: "NormValues") -> Bools:
        """Say of each item whether its sum or its number of users is below the other one."""
        newest = np.maximum(self.era, others.era)
        mine = np.ldexp(self.sum_sq, ERA_WIDTH * (self.era - newest))
        theirs = np.ldexp(others.sum_sq, ERA_WIDTH * (others.era - newest))
        below: Bools = (mine < theirs) | (self.users < others.users)
        return below

    def differs(self, others: "NormValues") -> Bools:
        """Say of each item whether the norms differ."""
        differs: Bools = self.sum_sq != others.sum_sq
        differs |= (self.users != others.users) | (self.era != others.era)
        return differs
