"""How popular items are now: the weights of their interactions, which fade with time.

The popularity of an item at time T is the sum over its interactions of `weight * 2 ** ((ts - T) /
half_life)`. It is kept relative to a time that never moves, the beginning of unix time, as
`mass * 2 ** exponent`: so nothing has to be recomputed while time passes, late interactions add
what they should, and nothing overflows in any number of years. Source: Cormode et al. 2009,
forward decay.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from streamapp.core.arrays.dtypes import NOTHING, Bools, Floats, Ints, Longs, records, resized
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.popularity_increments import PopularityIncrements, add_masses

POPULARITY = np.dtype([("position", ">u8"), ("mass", "<f8"), ("exponent", "<i4")])
"""The stored popularity of an item, 20 bytes; its place in the array is the item's number."""

FADED = 2.0**-100
"""A popularity that is no longer shown: that of one click a hundred half-lives ago."""

_NEVER = -(1 << 30)


class Popular(NamedTuple):
    """An item and its popularity, `mass * 2 ** exponent` as of time 0, with mass in [0.5, 1)."""

    item: str
    mass: float
    exponent: int

    @property
    def order(self) -> tuple[int, float, bytes]:
        """What items are sorted by: popularity down, then item id up in byte order."""
        return -self.exponent, -self.mass, self.item.encode()

    def at(self, ts: float, half_life_s: float) -> float:
        """Return the popularity at a time in seconds."""
        age = ts / half_life_s
        whole = int(np.floor(age))
        faded = np.ldexp(self.mass, max(self.exponent - whole, -2_000))
        return float(faded / np.exp2(age - whole))


@dataclass(slots=True)
class Popularity:
    """The popularity of the items of one shard.

    Attributes:
        top_n: How many of the most popular are known; > 0.
        position: int64 by number. Where each was stored: it holds every delta below this offset.
        furthest: The largest of these positions; 0 without any.
        mass: float64 by number.
        exponent: int32 by number.
        unsaved: bool by number. Items that changed since `packed_changes`.
        top: The most popular items of those that are shown, best first.
        newest_ts: Newest event time of what was added, in seconds.
    """

    top_n: int = 20
    position: Longs = field(default_factory=lambda: np.zeros(0, np.int64))
    furthest: int = 0
    mass: Floats = field(default_factory=lambda: np.zeros(0))
    exponent: Ints = field(default_factory=lambda: np.zeros(0, np.int32))
    unsaved: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))
    top: list[Popular] = field(default_factory=list)
    newest_ts: float = -np.inf

    @classmethod
    def unpack(
        cls, packed: bytes, top_n: int, registry: Registry, hidden: Bools = NOTHING
    ) -> "Popularity":
        """Return what `packed`, an array of `POPULARITY`, holds. Cost: O(items).

        Args:
            packed: The array.
            top_n: How many of the most popular are to be known.
            registry: The items' ids.
            hidden: bool by number. Items that are not shown; empty where there are none.
        """
        stored = np.frombuffer(packed, POPULARITY)
        position = stored["position"].astype(np.int64)
        popularity = cls(
            top_n,
            position,
            int(position.max(initial=0)),
            stored["mass"].copy(),
            stored["exponent"].copy(),
            np.zeros(len(stored), np.bool_),
        )
        popularity.reserve(len(registry))
        popularity._rank_all(registry, hidden)
        return popularity

    def reserve(self, items: int) -> None:
        """Make room for the numbers below `items`."""
        for name in ("position", "mass", "exponent", "unsaved"):
            array = getattr(self, name)
            setattr(self, name, resized(array, max(items, len(array))))

    def add(
        self, masses: PopularityIncrements, offset: int, registry: Registry, hidden: Bools = NOTHING
    ) -> None:
        """Add what the delta at `offset` says; items that are stored beyond it stay.

        Because nothing is ever taken away and all fade alike, the most popular are among those that
        were and those that get something. A hidden item gets it too, for when it is shown again.

        Cost: O(items of `masses`).
        """
        self.newest_ts = max(self.newest_ts, masses.newest_ts)
        new = self.position[masses.item] <= offset
        items = masses.item[new]
        add_masses(items, masses.mass[new], masses.exponent[new], self.mass, self.exponent)
        self.unsaved[items] = True
        self._rank(masses.item, registry, hidden)

    def turn(self, items: Ints, registry: Registry, hidden: Bools) -> None:
        """Bring `top` up to date with items that are hidden or shown from now on.

        Args:
            items: Which ones.
            registry: The items' ids.
            hidden: bool by number, as it is now; empty where nothing is hidden.

        Cost: O(items of the shard) where one was among the most popular, else O(these items).
        """
        top = {one.item for one in self.top}
        if any(registry.ids[number] in top for number in items.tolist()):
            self.top = []
            self._rank_all(registry, hidden)
        else:
            self._rank(items[self.mass[items] > 0], registry, hidden)

    def packed_changes(self, position: int) -> list[tuple[int, bytes]]:
        """Return (item number, packed `POPULARITY`) of items that changed, and forget which did."""
        numbers = np.flatnonzero(self.unsaved)
        packed = np.empty(len(numbers), POPULARITY)
        packed["position"] = position
        packed["mass"], packed["exponent"] = self.mass[numbers], self.exponent[numbers]
        self.unsaved[numbers] = False
        return records(numbers, packed)

    def _rank_all(self, registry: Registry, hidden: Bools) -> None:
        """Bring `top` up to date with all items that have a name.

        What died may have stored more than it could name: those are ranked when they are known.
        """
        known = self.mass[: len(registry)]
        self._rank(np.flatnonzero(known > 0).astype(np.int32), registry, hidden)

    def _rank(self, items: Ints, registry: Registry, hidden: Bools) -> None:
        """Bring `top` up to date with these items, as far as they are shown."""
        if len(hidden):
            items = items[~hidden[items]]
        mass, shift = np.frexp(self.mass[items])
        exponent = self.exponent[items] + shift
        if len(self.top) == self.top_n:
            last = self.top[-1]
            may = (exponent > last.exponent) | ((exponent == last.exponent) & (mass >= last.mass))
            items, mass, exponent = items[may], mass[may], exponent[may]
        elif len(items) > self.top_n:
            best = np.lexsort((-mass, -exponent))[: self.top_n]
            may = (exponent > exponent[best[-1]]) | (
                (exponent == exponent[best[-1]]) & (mass >= mass[best[-1]])
            )
            items, mass, exponent = items[may], mass[may], exponent[may]
        known = {one.item: one for one in self.top}
        for number, *rest in zip(items.tolist(), mass.tolist(), exponent.tolist(), strict=True):
            known[registry.ids[number]] = Popular(registry.ids[number], *rest)
        self.top = most_popular(known.values(), self.top_n)


def most_popular(some: Iterable[Popular], top_n: int) -> list[Popular]:
    """Return the most popular, best first."""
    return sorted(some, key=lambda one: one.order)[:top_n]
