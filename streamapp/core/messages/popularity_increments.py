"""What interactions add to the popularity of items, as a delta carries it."""

from math import ldexp
from typing import NamedTuple

import numpy as np

from streamapp.core.arrays.array_types import Bools, Floats, Ints
from streamapp.core.arrays.compiled import compiled

_NEVER = -(1 << 30)


class PopularityIncrements(NamedTuple):
    """Popularity by item, `mass * 2 ** exponent` as of time 0.

    Attributes:
        item: int32. Item numbers; each once in a delta, and more often in joined blocks.
        mass: float64, > 0.
        exponent: int32.
        newest_ts: Newest event time of the interactions in seconds.
    """

    item: Ints
    mass: Floats
    exponent: Ints
    newest_ts: float

    def only(self, chosen: Bools) -> "PopularityIncrements":
        """Return the increments of some items; `chosen` has one entry for each."""
        return PopularityIncrements(
            self.item[chosen], self.mass[chosen], self.exponent[chosen], self.newest_ts
        )


NO_INCREMENTS = PopularityIncrements(
    np.zeros(0, np.int32), np.zeros(0), np.zeros(0, np.int32), -np.inf
)


def popularity_increments(
    item: Ints, weight: Floats, ts: Floats, half_life_s: float, items: int
) -> PopularityIncrements:
    """Return the increments of some interactions.

    Args:
        item: int32, shape (interactions,). Item numbers.
        weight: float64, > 0.
        ts: float64. Event time in seconds.
        half_life_s: > 0.
        items: All item numbers are below this.

    Cost: O(interactions + items in them log items in them).
    """
    if not len(item):
        return NO_INCREMENTS
    distinct = np.unique(item)
    index = np.zeros(items, np.int32)
    index[distinct] = np.arange(len(distinct), dtype=np.int32)
    mass, exponent = np.zeros(len(distinct)), np.full(len(distinct), _NEVER, np.int32)
    half_lives = ts / half_life_s
    whole = np.floor(half_lives)
    add_masses(
        index[item], weight * np.exp2(half_lives - whole), whole.astype(np.int32), mass, exponent
    )
    return PopularityIncrements(distinct, mass, exponent, float(ts.max()))


@compiled
def add_masses(item: Ints, mass: Floats, exponent: Ints, masses: Floats, exponents: Ints) -> None:
    """Add each `mass * 2 ** exponent` to that of its item, which keeps the larger exponent."""
    for entry in range(len(item)):
        number, shift = item[entry], exponent[entry] - exponents[item[entry]]
        if masses[number] == 0.0 or shift >= 1_100:
            masses[number], exponents[number] = mass[entry], exponent[entry]
        elif shift > 0:
            masses[number] = ldexp(masses[number], -shift) + mass[entry]
            exponents[number] = exponent[entry]
        elif shift > -1_100:
            masses[number] += ldexp(mass[entry], shift)
