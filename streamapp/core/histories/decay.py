"""Time decay of ratings, carried as levels, and the eras of their products.

With decay, a rating is the largest of `weight * 2 ** (ts / half_life)`: the worth of the
interaction at the beginning of unix time (forward decay). So no rating changes by time alone, and
the common factor cancels in the cosine. Ten years at a half-life of a day do not fit into a
float64, so histories and deltas carry the level, the logarithm. Sums of products are kept by era,
because a float64 with something recent in it has lost what was old (ADR-0012).
Source: Cormode, Shkapenyuk, Srivastava and Xu 2009, forward decay.
"""

from dataclasses import dataclass
from math import floor, ldexp

import numpy as np

from streamapp.core.arrays.array_types import Floats, Ints, Longs
from streamapp.core.arrays.compiled import compiled

BASE = 1_100.0
"""Added to every level, so that it is over 0 for every float64 weight and every time from 1970 on:
the smallest weight has the logarithm -1,074."""

ERA_BITS = 3
"""The era of a product is the sum of two levels, without its fraction and this many low bits: eight
doublings, or four half-lives.

All products of one era are within a factor of 2 ** 9. So when a product is subtracted from a sum,
the error is only rounding in the last digits. Stored state depends on this number.
"""

ERA_WIDTH = 1 << ERA_BITS


@dataclass(frozen=True, slots=True)
class Decay:
    """How ratings decay.

    Attributes:
        half_life_s: Seconds of event time after which an interaction counts half; > 0.
    """

    half_life_s: float

    def levels(self, weight: Floats, ts: Floats) -> Floats:
        """Return the level of each interaction, float64, all over 0.

        Args:
            weight: float64, > 0.
            ts: float64, >= 0. Event time in seconds.

        In 2026 a half-life of an hour makes levels of 500,000. Their error is 6e-11, and that of a
        score 2e-10.
        """
        return BASE + np.log2(weight) + ts / self.half_life_s

    def at(self, sums: Floats, exponent: Longs, ts: float) -> Floats:
        """Return sums of products of two ratings as they count at a time.

        Args:
            sums: float64, in units of 2 ** exponent.
            exponent: int64. Of each sum.
            ts: Event time in seconds.

        Returns:
            float64; 0 for a sum that is too small for a float64.
        """
        level = float(BASE + ts / self.half_life_s)
        whole = floor(level)
        decayed: Floats = np.ldexp(sums * 4.0 ** (whole - level), exponent - 2 * whole)
        return decayed


@compiled
def split(levels: Floats) -> tuple[Ints, Floats]:
    """Return of each level the whole part, int32, and 2 to the power of the fraction, 1 to 2.

    Level 0, which is no rating, has 0 instead of the latter.
    """
    whole, rest = np.empty(len(levels), np.int32), np.zeros(len(levels))
    for entry in range(len(levels)):
        whole[entry] = np.int32(np.floor(levels[entry]))
        if levels[entry] > 0:
            rest[entry] = 2.0 ** (levels[entry] - whole[entry])
    return whole, rest


@compiled
def product(whole: int, left: float, right: float) -> float:
    """Return a product of two ratings in units of its era.

    Args:
        whole: The sum of the whole parts of their levels.
        left: The second result of `split` for the one level.
        right: The same for the other level.
    """
    return ldexp(left * right, whole & (ERA_WIDTH - 1))
