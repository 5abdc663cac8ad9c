"""ItemSweep: brings lists up to date with norms that moved.

When the norm of an item moves, it changes place in every list that holds it. A sweep looks at the
rows that may be concerned, some at a time between batches of deltas, so that a list is as fresh as
`REFRESH_INTERVAL` says when the worker has time, and deltas come first when it has not: unless the
catalogue hides something, which is not to be shown for so long.
"""

import time
from collections.abc import Awaitable, Callable

import numpy as np

from streamapp.agents.runtime.throttle import DutyCycle, MaintenanceBudget
from streamapp.agents.shard.list_publisher import ItemListPublisher
from streamapp.core.arrays.dtypes import Bools, Ints
from streamapp.core.shard.shard import Shard

_ROWS_AT_ONCE = 128


class ItemSweep:
    """The sweeps of one shard.

    Args:
        shard: The shard.
        publication: Publishes its lists.
        load: Brings rows into memory.
        leisure: What sweeps have of the worker's time.
        interval_s: Seconds between two sweeps.
        turned: What `turned` is in the beginning.

    Attributes:
        turned: Offset of the shard's log up to which all lists are as its notices say, or due.
    """

    def __init__(
        self,
        shard: Shard,
        publication: ItemListPublisher,
        load: Callable[[Ints], Awaitable[None]],
        leisure: MaintenanceBudget,
        interval_s: float,
        turned: int = 0,
    ) -> None:
        self._shard = shard
        self._publication = publication
        self._load = load
        self._leisure = leisure
        self._pace = DutyCycle(0.0, 1)
        self._interval_s = interval_s
        self._due_at = time.monotonic() + interval_s
        self._moved: Bools = np.zeros(0, np.bool_)
        self._queue: Ints = np.zeros(0, np.int32)
        self.turned = self._turning = turned

    @property
    def pending(self) -> Bools:
        """The items whose move is not yet in all lists, bool by number."""
        pending = self._shard.norms.changed.copy()
        if len(self._queue):
            pending[: len(self._moved)] |= self._moved
        return pending

    async def step(self) -> float:
        """Look at some rows if it is time; return the seconds until the next step."""
        if self._shard.is_replaying:
            return self._interval_s
        if not len(self._queue):
            if time.monotonic() < self._due_at or not self._shard.norms.changed.any():
                return max(self._due_at - time.monotonic(), 0.001) if self._waits else 3600.0
            self._begin()
        elif not self._urgent and (rest_s := self._leisure.due_in_s(self._pace)) > 0:
            return rest_s
        with self._pace.measured():
            await self._look(self._queue[:_ROWS_AT_ONCE])
        self._queue = self._queue[_ROWS_AT_ONCE:]
        if not len(self._queue):
            self.turned = self._turning
            self._leisure.end(self._pace)
            self._due_at = time.monotonic() + self._interval_s
            return self._interval_s
        return 0.0

    @property
    def _urgent(self) -> bool:
        """Whether something was hidden or came back that lists do not say yet."""
        return self._shard.visibility.last_update_offset > self.turned

    @property
    def _waits(self) -> bool:
        return bool(self._shard.norms.changed.any())

    def _begin(self) -> None:
        self._leisure.begin(self._pace)
        self._moved, decreased = self._shard.norms.take_changes()
        self._queue = self._shard.outdated(self._moved, decreased)
        self._turning = self._shard.visibility.last_update_offset

    async def _look(self, numbers: Ints) -> None:
        shard = self._shard
        numbers = numbers[~shard.lists.dirty[numbers]]
        if not len(numbers):
            return
        await self._load(numbers[~shard.rows.present[numbers]])
        ahead = shard.ahead(numbers)
        shard.lists.mark_dirty(numbers[ahead])
        numbers = numbers[~ahead]
        ranking = shard.rank(numbers)
        fresh = shard.lists.known[numbers]
        # What moved since the sweep began counts too: a list that was never compared is taken for
        # published only if nothing of it moved since the checkpoint.
        moved = self._resized(self._moved) | self._resized(shard.norms.changed)
        unseen = ~fresh & ~moved[numbers] & ~shard.rows.with_neighbours(numbers, moved)
        changed = shard.lists.differs(numbers, ranking) & ~unseen
        if unseen.any():
            lines = np.flatnonzero(unseen)
            shard.lists.acknowledge(numbers[lines], ranking.only(lines))
        if changed.any():
            await self._publication.publish(shard, numbers, ranking, changed)

    def _resized(self, flags: Bools) -> Bools:
        if len(flags) == len(self._shard.owned):
            return flags
        resized = np.zeros(len(self._shard.owned), np.bool_)
        resized[: len(flags)] = flags
        return resized
