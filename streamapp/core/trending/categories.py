"""The category of each item of a shard, and the most popular items of each category.

The category of an item comes in catalogue updates, so it is a function of the shard's log. An event
or an update only marks the item and its category as dirty. A checkpoint then finds the most popular
items of the dirty categories, from the state that it stores (ADR-0014).
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from streamapp.core.arrays.array_types import NOTHING_HIDDEN, Bools, Ints
from streamapp.core.arrays.record_table import RecordTable
from streamapp.core.ids.registry import Registry, shard_of
from streamapp.core.messages.catalogue_update import VisibilityChange
from streamapp.core.trending.popularity import Popular, Popularity, most_popular

CATEGORY = np.dtype([("position", ">u8"), ("category", "<i4")])
"""The stored category of an item, 12 bytes; its index in the stored array is the item's number."""

_NO_NUMBERS: Mapping[str, int] = MappingProxyType({})

NO_CATEGORY = ""
"""The category of an item without one; its number is 0."""


class CategoryTop(NamedTuple):
    """The most popular items of one category of a shard.

    Attributes:
        category: Its name.
        number: Its number.
        popular: The most popular items that are not hidden, best first.
    """

    category: str
    number: int
    popular: list[Popular]


class Categories(RecordTable):
    """The categories of the items that a shard owns.

    Args:
        packed: An array of `CATEGORY`, as a slot stores it.
        numbers: The number of each stored category, from 1 on.

    Attributes:
        names: Categories by number, in order of first appearance.
    """

    def __init__(self, packed: bytes = b"", numbers: Mapping[str, int] = _NO_NUMBERS) -> None:
        super().__init__(CATEGORY, packed)
        self.names = Registry([NO_CATEGORY, *sorted(numbers, key=numbers.__getitem__)])
        self._stored = len(self.names)
        self._dirty: list[tuple[Ints, Ints]] = []

    @property
    def category(self) -> Ints:
        """int32 by item number. The number of its category."""
        return self._columns["category"]

    @property
    def known(self) -> bool:
        """Whether there is any category."""
        return len(self.names) > 1

    def reserve(self, size: int) -> None:
        """Make the numbers below `size` valid, once there is a category."""
        if self.known:
            super().reserve(size)

    def owned_changes(
        self, changes: Sequence[VisibilityChange], shard: int, shards: int
    ) -> dict[str, str]:
        """Return the new category by item, for the items that this shard owns.

        Args:
            changes: Of a catalogue update; the last change of an item counts.
            shard: The number of this shard.
            shards: How many shards there are.

        Returns:
            Nothing as long as neither the shard nor these items have any category.
        """
        if not self.known and not any(change.category for change in changes):
            return {}
        owned = {
            change.item: change.category
            for change in changes
            if shard_of(change.item, shards) == shard
        }
        return owned if self.known or any(owned.values()) else {}

    def apply(self, changes: Mapping[str, str], registry: Registry) -> None:
        """Apply what `owned_changes` returned.

        If the stored category of an item is ahead of the position, the tops that depend on it are
        stored too. Therefore an item whose category does not change marks nothing as dirty.

        Args:
            changes: The category by item; items that the registry does not know have none.
            registry: The items' numbers.
        """
        known = {registry.find(item): category for item, category in changes.items()}
        known.pop(-1, None)
        if not known:
            return
        items = np.fromiter(known, np.int32, len(known))
        category = self.names.number(list(known.values()))
        self.reserve(len(registry))
        changed = self.category[items] != category
        items, category = items[changed], category[changed]
        self.mark_dirty(items)
        self.category[items] = category
        self.unsaved[items] = True
        self.mark_dirty(items)

    def mark_dirty(self, items: Ints, hidden: Bools = NOTHING_HIDDEN) -> None:
        """Mark the current categories of items as dirty.

        Args:
            items: int32. Numbers of items that changed.
            hidden: Bool by number. Hidden items, which change no top; empty without any.
        """
        if not self.known:
            return
        if len(hidden):
            items = items[~hidden[items]]
        self._dirty.append((items, self.category[items]))

    def mark_all_dirty(self, items: int) -> None:
        """Mark the categories of all items below `items` as dirty."""
        self.mark_dirty(np.flatnonzero(self.category[:items]).astype(np.int32))

    def unstored(self) -> list[CategoryTop]:
        """Return the categories that are not stored; they had no popular items before."""
        return [
            CategoryTop(name, number, [])
            for number, name in enumerate(self.names.ids[self._stored :], self._stored)
        ]

    def dirty_tops(
        self, popularity: Popularity, registry: Registry, hidden: Bools
    ) -> list[CategoryTop]:
        """Return the most popular items of each dirty category.

        An item without popularity is in no list, so its category is left out. This is checked here
        and not in `mark_dirty`, because after a crash the popularity in memory may include messages
        that follow the update.

        Args:
            popularity: Of the items.
            registry: Their ids; an item that has no id yet is left out.
            hidden: Bool by number. Hidden items; empty without any.

        Cost: O(items of the shard), and O(n log n) for the items of these categories.
        """
        dirty = np.zeros(len(self.names), np.bool_)
        for items, category in self._dirty:
            dirty[category[popularity.mass[items] > 0]] = True
        dirty[0] = False
        found: dict[int, list[Popular]] = {number: [] for number in np.flatnonzero(dirty).tolist()}
        if not found:
            return []
        size = len(registry)
        shown = dirty[self.category[:size]] & (popularity.mass[:size] > 0)
        if len(hidden):
            shown &= ~hidden[:size]
        every = np.flatnonzero(shown)
        mass, shift = np.frexp(popularity.mass[every])
        exponent = popularity.exponent[every] + shift
        order = np.lexsort((-mass, -exponent, self.category[every]))
        numbers, mass, exponent = every[order], mass[order], exponent[order]
        category = self.category[numbers]
        _, starts, sizes = np.unique(category, return_index=True, return_counts=True)
        # Items as popular as the last one stay: ids decide among them.
        last = np.repeat(starts + np.minimum(sizes, popularity.top_n) - 1, sizes)
        kept = np.arange(len(numbers)) <= last
        kept |= (mass == mass[last]) & (exponent == exponent[last])
        ties = (mass[1:] == mass[:-1]) & (exponent[1:] == exponent[:-1])
        tied = set(category[1:][ties].tolist())
        columns = (column[kept].tolist() for column in (category, numbers, mass, exponent))
        for number, item, *rest in zip(*columns, strict=True):
            found[number].append(Popular(registry.ids[item], *rest))
        for number in tied:
            found[number] = most_popular(found[number], popularity.top_n)
        return [CategoryTop(self.names.ids[number], number, some) for number, some in found.items()]

    def mark_stored(self) -> None:
        """Mark all names and tops as stored."""
        self._dirty = []
        self._stored = len(self.names)
