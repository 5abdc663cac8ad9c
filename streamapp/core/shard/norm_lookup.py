"""Finds the norms that a shard lacks among those that other shards shared."""

import numpy as np

from streamapp.core.arrays.array_types import Bools, Ints
from streamapp.core.arrays.growing import grown
from streamapp.core.counts.norm_table import NormTable
from streamapp.core.messages.norm_values import NormValues
from streamapp.core.shard.shard import Shard


class NormLookup:
    """The items of a shard in the norm table of the worker.

    Args:
        table: The table.
        shard: The shard.
    """

    def __init__(self, table: NormTable, shard: Shard) -> None:
        self._table = table
        self._shard = shard
        self._numbers: Ints = np.zeros(0, np.int32)
        self._known = 0
        self._version = table.version
        self._waiting: Ints = np.zeros(0, np.int32)

    def lacks_any(self) -> bool:
        """Say whether other shards have shared anything that the shard has not seen."""
        return bool((self._table.positions > self._shard.norms_seen)[self._others].any())

    def lacking(self) -> tuple[Ints, NormValues]:
        """Return the items whose norm the shard lacks, int32, and these norms.

        Cost: O(items of the shard).
        """
        self._extend()
        shard, table = self._shard, self._table
        numbers, size = self._numbers[: self._known], self._known
        items = np.arange(size, dtype=np.int32)
        owner = shard.registry.norm_shards(shard.count, items)
        shared_at = table.position[numbers]
        unseen = (shared_at > shard.norms_seen[owner]) | ~shard.norms.taken[:size]
        lacking: Ints = items[unseen & (shared_at > 0) & ~shard.counted[:size]]
        return lacking, table.values(numbers[lacking])

    def is_new(self) -> bool:
        """Say whether the table has the norm of an item that the shard took none for.

        Either the shard met the item since the last call, or the table learned its norm. The second
        may be a norm that the shard would not ask for: where it moved to another worker, it may
        have seen more than the table of that worker, and the positions tell nothing.

        Cost: O(items that the shard met since the last call + items whose norm is not shared).
        """
        known = self._known
        self._extend()
        if self._known == known and self._table.version == self._version:
            return False
        self._version = self._table.version
        new = np.arange(known, self._known, dtype=np.int32)
        items = np.concatenate((self._waiting, new))
        items = items[~self._shard.counted[items] & ~self._shard.norms.taken[items]]
        shared = self._table.position[self._numbers[items]] > 0
        self._waiting = items[~shared]
        return bool(shared.any())

    @property
    def _others(self) -> Bools:
        """Bool by shard. The other shards."""
        others = np.ones(self._shard.count, np.bool_)
        others[self._shard.number] = False
        return others

    def _extend(self) -> None:
        """Look up the items that are new in the registry of the shard."""
        registry, known = self._shard.registry, self._known
        if len(registry) > known:
            self._numbers = grown(self._numbers, len(registry))
            self._numbers[known : len(registry)] = self._table.numbers(registry.ids[known:])
            self._known = len(registry)
