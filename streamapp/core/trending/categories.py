"""Categories: which one each item of a shard is in, and what is popular in each.

What a catalogue says of the category of an item comes in notices, so it is a function of the
shard's log like everything else. Events and notices only note which items they touch, and where;
what is popular there is found when the shard is stored, of what it holds by then (ADR-0014).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from streamapp.core.arrays.dtypes import NOTHING, Bools, Ints, Longs, records, resized
from streamapp.core.ids.registry import Registry, shard_of
from streamapp.core.messages.catalogue_update import VisibilityChange
from streamapp.core.trending.popularity import Popular, Popularity, most_popular

CATEGORY = np.dtype([("position", ">u8"), ("category", "<i4")])
"""The category of an item, 12 bytes; its place in the array is the item's number."""

NO_CATEGORY = ""
"""The name of no category; its number is 0."""


class CategoryTop(NamedTuple):
    """What is popular in one category of a shard.

    Attributes:
        category: Its name.
        number: Its number.
        popular: The most popular items of those that are shown, best first.
    """

    category: str
    number: int
    popular: list[Popular]


@dataclass(slots=True)
class Categories:
    """The categories of the items that a shard owns.

    Attributes:
        names: Categories by number, in order of first appearance.
        position: int64 by item number. Where each was stored: it knows every notice below this
            offset of the shard's log, and may be ahead of what is applied.
        furthest: The largest of these positions; 0 without any.
        category: int32 by item number. The number of its category.
        unsaved: bool by item number. Items that changed since `packed_changes`.
        touched: Items to which something happened since `settle`, and the category of each then.
        stored: How many names are stored.
    """

    names: Registry = field(default_factory=lambda: Registry([NO_CATEGORY]))
    position: Longs = field(default_factory=lambda: np.zeros(0, np.int64))
    furthest: int = 0
    category: Ints = field(default_factory=lambda: np.zeros(0, np.int32))
    unsaved: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))
    touched: list[tuple[Ints, Ints]] = field(default_factory=list)
    stored: int = 1

    @classmethod
    def unpack(cls, packed: bytes, numbers: Mapping[str, int]) -> "Categories":
        """Return what was stored.

        Args:
            packed: An array of `CATEGORY`.
            numbers: The number of each category, from 1 on.
        """
        found = np.frombuffer(packed, CATEGORY)
        position = found["position"].astype(np.int64)
        names = Registry([NO_CATEGORY, *sorted(numbers, key=numbers.__getitem__)])
        return cls(
            names,
            position,
            int(position.max(initial=0)),
            found["category"].astype(np.int32),
            np.zeros(len(found), np.bool_),
            stored=len(names),
        )

    @property
    def known(self) -> bool:
        """Whether there is any category."""
        return len(self.names) > 1

    def reserve(self, items: int) -> None:
        """Make room for the item numbers below `items`, once there is a category."""
        if not self.known:
            return
        for name in ("position", "category", "unsaved"):
            array = getattr(self, name)
            setattr(self, name, resized(array, max(items, len(array))))

    def mine(self, news: Sequence[VisibilityChange], shard: int, shards: int) -> dict[str, str]:
        """Return the category, by item, of those that this shard owns; the last one counts.

        Nothing where there is no category yet, and none in what it would return.

        Args:
            news: What a notice says.
            shard: Which shard this is.
            shards: Of how many.
        """
        if not self.known and not any(change.category for change in news):
            return {}
        mine = {
            change.item: change.category
            for change in news
            if shard_of(change.item, shards) == shard
        }
        return mine if self.known or any(mine.values()) else {}

    def apply(self, mine: Mapping[str, str], registry: Registry) -> None:
        """Apply what a notice says.

        Where an item is stored further, its tops are too, so nothing need be touched for it.

        Args:
            mine: The category by item; items that the registry does not know have none.
            registry: The items' numbers.
        """
        known = {registry.find(item): category for item, category in mine.items()}
        known.pop(-1, None)
        if not known:
            return
        items = np.fromiter(known, np.int32, len(known))
        category = self.names.number(list(known.values()))
        self.reserve(len(registry))
        changed = self.category[items] != category
        items, category = items[changed], category[changed]
        self.touch(items)
        self.category[items] = category
        self.unsaved[items] = True
        self.touch(items)

    def touch(self, items: Ints, hidden: Bools = NOTHING) -> None:
        """Note that something happened to items, in the categories where they are.

        Args:
            items: Which ones.
            hidden: bool by number. Items to which whatever happens shows nowhere; empty for none.
        """
        if not self.known:
            return
        if len(hidden):
            items = items[~hidden[items]]
        self.touched.append((items, self.category[items]))

    def touch_all(self, items: int) -> None:
        """Note so of every item that is in a category, of the numbers below `items`."""
        self.touch(np.flatnonzero(self.category[:items]).astype(np.int32))

    def new(self) -> list[CategoryTop]:
        """Return the categories whose number is not stored; nothing was popular there before."""
        return [
            CategoryTop(name, number, [])
            for number, name in enumerate(self.names.ids[self.stored :], self.stored)
        ]

    def tops(self, popularity: Popularity, registry: Registry, hidden: Bools) -> list[CategoryTop]:
        """Return what is popular in the categories that were touched.

        What nobody ever did anything with is in no list, and changes none. Whether that is so is
        seen here and not before: an event ahead of a notice may have been applied behind it.

        Args:
            popularity: Of the items.
            registry: Their ids; what has none yet is left out.
            hidden: bool by number. Items that are not shown; empty where there are none.

        Cost: O(items of the shard), and O(n log n) for the items of these categories.
        """
        touched = np.zeros(len(self.names), np.bool_)
        for items, category in self.touched:
            touched[category[popularity.mass[items] > 0]] = True
        touched[0] = False
        found: dict[int, list[Popular]] = {
            number: [] for number in np.flatnonzero(touched).tolist()
        }
        if not found:
            return []
        size = len(registry)
        shown = touched[self.category[:size]] & (popularity.mass[:size] > 0)
        if len(hidden):
            shown &= ~hidden[:size]
        every = np.flatnonzero(shown)
        mass, shift = np.frexp(popularity.mass[every])
        exponent = popularity.exponent[every] + shift
        order = np.lexsort((-mass, -exponent, self.category[every]))
        numbers, mass, exponent = every[order], mass[order], exponent[order]
        category = self.category[numbers]
        _, starts, sizes = np.unique(category, return_index=True, return_counts=True)
        # Those that are as popular as the last one count too: ids decide among them.
        last = np.repeat(starts + np.minimum(sizes, popularity.top_n) - 1, sizes)
        may = np.arange(len(numbers)) <= last
        may |= (mass == mass[last]) & (exponent == exponent[last])
        ties = (mass[1:] == mass[:-1]) & (exponent[1:] == exponent[:-1])
        tied = set(category[1:][ties].tolist())
        columns = (column[may].tolist() for column in (category, numbers, mass, exponent))
        for number, item, *rest in zip(*columns, strict=True):
            found[number].append(Popular(registry.ids[item], *rest))
        for number in tied:
            found[number] = most_popular(found[number], popularity.top_n)
        return [CategoryTop(self.names.ids[number], number, some) for number, some in found.items()]

    def settle(self) -> None:
        """Note that all tops and names are stored."""
        self.touched = []
        self.stored = len(self.names)

    def packed_changes(self, position: int) -> list[tuple[int, bytes]]:
        """Return (item number, packed `CATEGORY`) of items that changed, and forget which did."""
        numbers = np.flatnonzero(self.unsaved)
        packed = np.empty(len(numbers), CATEGORY)
        packed["position"], packed["category"] = position, self.category[numbers]
        self.unsaved[numbers] = False
        return records(numbers, packed)
