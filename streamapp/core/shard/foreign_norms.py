"""The norms of items of other shards, as one shard ranks its lists by them."""

from collections.abc import Sequence

import numpy as np

from streamapp.core.arrays.dtypes import Bools, Ints, Longs, grown
from streamapp.core.counts.norm_table import NormTable
from streamapp.core.counts.norms import Norms
from streamapp.core.ids.registry import Registry


class ForeignNorms:
    """Copies norms from the table of the worker into the norms of a shard.

    A shard copies changes now and then, so that its lists change seldom and one after the other.
    All lists reflect the norms up to `seen`, except for the items that `Norms.changed` names.

    Args:
        table: The table of the worker.
        shard: The number of the shard.
        seen: int64 by shard. The positions up to which stored lists reflect the shared norms.
    """

    def __init__(self, table: NormTable, shard: int = 0, seen: Longs | None = None) -> None:
        self.seen: Longs = np.zeros_like(table.positions) if seen is None else seen
        self._table = table
        self._shard = shard
        self._version = table.version
        self._numbers: Ints = np.zeros(0, np.int32)
        self._known = 0

    @property
    def is_behind(self) -> bool:
        """Whether the table has changed since the last copy."""
        return self._version != self._table.version

    def add(self, registry: Registry, norms: Norms, counted: Bools) -> None:
        """Look up the items that are new in the registry of the shard.

        Args:
            registry: Of the shard.
            norms: Of the shard, with an entry for each item.
            counted: Bool by number. Items whose norm the shard counts itself.

        Cost: O(new items).
        """
        known, size = self._known, len(registry)
        if size == known:
            return
        table = self._table
        self._numbers = grown(self._numbers, size)
        self._numbers[known:size] = table.numbers(registry.ids[known:])
        self._known = size
        new = np.arange(known, size, dtype=np.int32)
        numbers = self._numbers[known:size]
        shared = ~counted[new] & (table.position[numbers] > 0)
        new, numbers = new[shared], numbers[shared]
        norms.take(new, table.values(numbers))
        owner = registry.norm_shards(len(self.seen), new)
        moved = new[table.position[numbers] > self.seen[owner]]
        norms.mark_changed(moved, decreased=moved)

    def copy(self, norms: Norms, counted: Bools) -> None:
        """Copy the norms that changed in the table since the last time.

        Args:
            norms: Of the shard. Items with another norm than before are marked there as changed.
            counted: Bool by number. Items whose norm the shard counts itself.

        Cost: O(items of the shard).
        """
        table, numbers = self._table, self._numbers[: self._known]
        stale = (table.changed_at[numbers] > self._version) & ~counted[: self._known]
        items: Ints = np.flatnonzero(stale).astype(np.int32)
        values = table.values(numbers[items])
        differs = values.differs(norms.values(items))
        below = norms.take(items, values)
        norms.mark_changed(items[differs], decreased=items[differs & below])
        self._version, self.seen = table.version, table.positions.copy()
        # The shard counts its own norms, and does not wait until it has shared them.
        self.seen[self._shard] = 0


def seen_text(seen: Sequence[int] | Longs) -> str:
    """Return positions by shard as text."""
    return ",".join(map(str, seen))


def seen_of(text: str, shards: int) -> Longs:
    """Return the positions that `seen_text` wrote; zeros if there were none."""
    if not text:
        return np.zeros(shards, np.int64)
    return np.array([int(position) for position in text.split(",")], np.int64)
