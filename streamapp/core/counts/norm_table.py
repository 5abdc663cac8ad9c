"""The norms of all items, as the owners of their shards shared them.

A shard counts the norms of its own items only. It stores them, and shares each change with the
position of its log that the norm belongs to. A norm at a position is a function of the log, so a
norm of a later position replaces one of an earlier position, whatever way it came (ADR-0021).
"""

from collections.abc import Sequence

import numpy as np

from streamapp.core.arrays.array_types import Ints, Longs
from streamapp.core.arrays.columns import Columns
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.norm_values import NormValues


class NormTable:
    """Shared norms by number; one table serves all shards of a worker.

    Args:
        shards: How many shards there are.

    Attributes:
        registry: The items that shards asked for or shared.
        version: Rises with each update.
        positions: int64 by shard. The position at which it last shared anything that is in here.
    """

    def __init__(self, shards: int) -> None:
        self.registry = Registry()
        self.version = 0
        self.positions: Longs = np.zeros(shards, np.int64)
        self._norms = Columns(
            {"sum_sq": np.float64, "users": np.int64, "era": np.int32, "position": np.int64,
             "version": np.int64}
        )  # fmt: skip

    @property
    def position(self) -> Longs:
        """int64 by number. The position of the norm in its shard's log; 0 if it is unknown."""
        return self._norms["position"]

    @property
    def changed_at(self) -> Longs:
        """int64 by number. The version at which the norm changed; 0 if it is unknown."""
        return self._norms["version"]

    def numbers(self, ids: Sequence[str]) -> Ints:
        """Return the numbers of items, int32; unknown items get the next free numbers."""
        numbers = self.registry.number(ids)
        self._norms.grow(len(self.registry))
        return numbers

    def values(self, numbers: Ints | Longs) -> NormValues:
        """Return the norms of items; those of unknown items are 0."""
        return NormValues(*(self._norms[name][numbers] for name in NormValues._fields))

    def of_shard(self, shard: int) -> Longs:
        """Return the numbers, int64, of the items whose norm a shard has shared."""
        numbers: Ints = np.arange(len(self.registry), dtype=np.int32)
        of_shard = self.registry.norm_shards(len(self.positions), numbers) == shard
        return np.flatnonzero(of_shard & (self.position[numbers] > 0))

    def update(
        self, shard: int, ids: Sequence[str], positions: Longs, values: NormValues, shared_at: int
    ) -> None:
        """Take in norms that a shard shared.

        Args:
            shard: The shard.
            ids: The items, each once.
            positions: int64. Of each norm in the shard's log, > 0.
            values: The norms.
            shared_at: The position at which the shard shared them.

        Cost: O(items).
        """
        self.positions[shard] = max(self.positions[shard], shared_at)
        numbers = self.numbers(ids)
        newer = positions > self.position[numbers]
        self.version += 1
        numbers = numbers[newer]
        for name, column in values.only(newer)._asdict().items():
            self._norms[name][numbers] = column
        self.position[numbers] = positions[newer]
        self.changed_at[numbers] = self.version
