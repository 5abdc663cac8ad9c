"""How popular items are now: the weights of their interactions, which decay with time.

The popularity of an item at time T is the sum over its interactions of `weight * 2 ** ((ts - T) /
half_life)`. It is kept relative to the beginning of unix time, as `mass * 2 ** exponent`. So
nothing changes while time passes, late interactions add what they should, and nothing overflows in
any number of years. Source: Cormode et al. 2009, forward decay.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from streamapp.core.arrays.array_types import NOTHING_HIDDEN, Bools, Floats, Ints
from streamapp.core.arrays.record_table import RecordTable
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.popularity_increments import PopularityIncrements, add_masses

POPULARITY = np.dtype([("position", ">u8"), ("mass", "<f8"), ("exponent", "<i4")])
"""The stored popularity of an item, 20 bytes; its index in the array is the item's number."""

FADED = 2.0**-100
"""A popularity below this is not shown: it is less than one click a hundred half-lives ago."""

MOST_HALF_LIVES = 100
"""A list whose `as_of` is more half-lives old than that is replaced, whatever it shows."""


class Popular(NamedTuple):
    """An item and its popularity, `mass * 2 ** exponent` as of time 0, with mass in [0.5, 1)."""

    item: str
    mass: float
    exponent: int

    @property
    def order(self) -> tuple[int, float, bytes]:
        """The sort key: popularity down, then item id up in byte order."""
        return -self.exponent, -self.mass, self.item.encode()

    def at(self, ts: float, half_life_s: float) -> float:
        """Return the popularity at `ts`, a time in seconds."""
        age = ts / half_life_s
        whole = int(np.floor(age))
        faded = np.ldexp(self.mass, max(self.exponent - whole, -2_000))
        return float(faded / np.exp2(age - whole))


class Popularity(RecordTable):
    """The popularity of the items of one shard.

    Args:
        top_n: How many of the most popular items `top` has; > 0.
        packed: An array of `POPULARITY`, as a slot stores it.

    Attributes:
        top_n: As above.
        top: The most popular items that are not hidden, best first.
        newest_ts: Newest event time of what was added, in seconds.
    """

    def __init__(self, top_n: int = 20, packed: bytes = b"") -> None:
        super().__init__(POPULARITY, packed)
        self.top_n = top_n
        self.top: list[Popular] = []
        self.newest_ts = -np.inf

    @classmethod
    def unpack(
        cls, packed: bytes, top_n: int, registry: Registry, hidden: Bools = NOTHING_HIDDEN
    ) -> "Popularity":
        """Return what `packed`, an array of `POPULARITY`, holds. Cost: O(items).

        Args:
            packed: The array.
            top_n: How many of the most popular items `top` has.
            registry: The items' ids.
            hidden: Bool by number. Hidden items; empty without any.
        """
        popularity = cls(top_n, packed)
        popularity.reserve(len(registry))
        popularity._rank_all(registry, hidden)
        return popularity

    @property
    def mass(self) -> Floats:
        """float64 by number."""
        return self._columns["mass"]

    @property
    def exponent(self) -> Ints:
        """int32 by number."""
        return self._columns["exponent"]

    def add(
        self,
        increments: PopularityIncrements,
        offset: int,
        registry: Registry,
        hidden: Bools = NOTHING_HIDDEN,
    ) -> None:
        """Add the increments of the delta at `offset`; records that include it stay.

        Increments are positive, and the popularity of all items decays at the same rate. So the new
        top contains only items of the old top and items with an increment. A hidden item gets its
        increment too, for the time when it is shown again.

        Args:
            increments: Of the delta, or of several; an item may have more than one.
            offset: Of the delta in the shard's log.
            registry: The items' ids.
            hidden: Bool by number. Hidden items; empty without any.

        Cost: O(n log n) for n increments.
        """
        self.newest_ts = max(self.newest_ts, increments.newest_ts)
        new = self.position[increments.item] <= offset
        items = increments.item[new]
        add_masses(items, increments.mass[new], increments.exponent[new], self.mass, self.exponent)
        self.unsaved[items] = True
        self._rank(np.unique(increments.item), registry, hidden)

    def refresh_top(self, items: Ints, registry: Registry, hidden: Bools) -> None:
        """Bring `top` up to date with items whose visibility changed.

        Args:
            items: int32. Their numbers.
            registry: The items' ids.
            hidden: Bool by number, as it is now; empty where no item is hidden.

        Cost: O(items of the shard) where one was among the most popular, else O(these items).
        """
        top = {one.item for one in self.top}
        if any(registry.ids[number] in top for number in items.tolist()):
            self.top = []
            self._rank_all(registry, hidden)
        else:
            self._rank(items[self.mass[items] > 0], registry, hidden)

    def _rank_all(self, registry: Registry, hidden: Bools) -> None:
        """Bring `top` up to date with all items that the registry knows.

        An owner that died may have stored more items than ids. Such an item is ranked when its id
        is known.
        """
        known = self.mass[: len(registry)]
        self._rank(np.flatnonzero(known > 0).astype(np.int32), registry, hidden)

    def _rank(self, items: Ints, registry: Registry, hidden: Bools) -> None:
        """Bring `top` up to date with those of `items`, each once, that are not hidden."""
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
        if not len(items):
            return
        known = {one.item: one for one in self.top}
        for number, *rest in zip(items.tolist(), mass.tolist(), exponent.tolist(), strict=True):
            known[registry.ids[number]] = Popular(registry.ids[number], *rest)
        self.top = most_popular(known.values(), self.top_n)


def most_popular(some: Iterable[Popular], top_n: int) -> list[Popular]:
    """Return the most popular, best first."""
    return sorted(some, key=lambda one: one.order)[:top_n]
