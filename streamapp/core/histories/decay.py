"""Time decay: ratings that fade, carried as levels, and sums of their products by age.

Where interactions fade, a rating is the largest of `weight * 2 ** (ts / half_life)`: what each was
worth at the beginning of unix time. No rating ever changes by time alone, and the factor cancels in
the cosine (forward decay). Ten years of a half-life of a day do not fit into a float64, so what
histories and deltas carry is a level, the logarithm. Sums are kept by the age of what they are made
of, because a float64 that held something recent has forgotten what was old (ADR-0012).
Source: Cormode, Shkapenyuk, Srivastava and Xu 2009, forward decay.
"""

from dataclasses import dataclass
from math import floor, ldexp

import numpy as np

from streamapp.core.arrays.compiled import compiled
from streamapp.core.arrays.dtypes import Floats, Ints, Longs

BASE = 1_100.0
"""Added to every level, so that it is over 0 for every float64 weight and every time from 1970 on:
the smallest weight has the logarithm -1,074."""

ERA_BITS = 3
"""An age is the whole part of a sum of two levels without so many bits: eight doublings, or four
half-lives. Whatever an age sums up lies within a factor of 2 ** 9, so what leaves a sum takes no
more than rounding in the last digits with it. Stored state, and code that is compiled elsewhere and
kept on disk, rest on this number."""

ERA_WIDTH = 1 << ERA_BITS


@dataclass(frozen=True, slots=True)
class Decay:
    """How interactions fade.

    Attributes:
        half_life_s: Seconds of event time after which one counts half; > 0.
    """

    half_life_s: float

    def levels(self, weight: Floats, ts: Floats) -> Floats:
        """Return the level of each interaction, float64, all over 0.

        Args:
            weight: float64, > 0.
            ts: float64, >= 0. Event time in seconds.

        A level of 500,000, which is 2026 at an hour, is right to 6e-11: a score to 2e-10.
        """
        return BASE + np.log2(weight) + ts / self.half_life_s

    def at(self, sums: Floats, exponent: Longs, ts: float) -> Floats:
        """Return sums of products of two ratings as they count at a time; what is too small is 0.

        Args:
            sums: float64, in units of 2 ** exponent.
            exponent: int64, of each sum.
            ts: Event time in seconds.
        """
        level = float(BASE + ts / self.half_life_s)
        whole = floor(level)
        faded: Floats = np.ldexp(sums * 4.0 ** (whole - level), exponent - 2 * whole)
        return faded


@compiled
def split(levels: Floats) -> tuple[Ints, Floats]:
    """Return of each level the whole part, int32, and 2 to the power of the rest, 1 to 2.

    What is absent, level 0, has 0 for the latter.
    """
    whole, rest = np.empty(len(levels), np.int32), np.zeros(len(levels))
    for entry in range(len(levels)):
        whole[entry] = np.int32(np.floor(levels[entry]))
        if levels[entry] > 0:
            rest[entry] = 2.0 ** (levels[entry] - whole[entry])
    return whole, rest


@compiled
def product(whole: int, left: float, right: float) -> float:
    """Return a product of two ratings in units of its age.

    Args:
        whole: The sum of the whole parts of their levels.
        left: What `split` returns with the one.
        right: The same of the other.
    """
    return ldexp(left * right, whole & (ERA_WIDTH - 1))
