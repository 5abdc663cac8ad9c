"""Brings lists of items up to date with norms that changed.

When the norm of an item changes, its rank changes in every list that holds it. A sweep compares the
rows that this may concern, some at a time between batches of deltas. So a list is at most
`REFRESH_INTERVAL` behind when the worker is idle. While records come in, a sweep begins once in ten
intervals: norms change with every event, and a list that follows each of them is published ten
times as often (ADR-0029). A sweep begins at once if the catalogue hides an item: lists must not
show that item for long.
"""

from collections.abc import Awaitable, Callable

import numpy as np

from streamapp.agents.scheduling.due_time import NEVER, DueTime
from streamapp.agents.scheduling.duty_cycle import DutyCycle
from streamapp.agents.scheduling.maintenance_budget import MaintenanceBudget
from streamapp.agents.shard.item_list_publisher import ItemListPublisher
from streamapp.core.arrays.array_types import Bools, Ints
from streamapp.core.arrays.growing import resized
from streamapp.core.shard.shard import Shard

_ROWS_AT_ONCE = 128

_SOON_S = 0.001

_BUSY_INTERVALS = 10
"""Intervals between two sweeps while records come in."""


class NormChangeSweep:
    """The sweeps over one shard.

    Args:
        shard: The shard.
        publisher: Publishes its lists.
        load: Brings rows into memory.
        budget: The time that sweeps have.
        interval_s: Seconds between two sweeps.
        listed_update_offset: As the head of the shard says.

    Attributes:
        listed_update_offset: All lists reflect the catalogue updates below this offset of the
            shard's log, or are about to be published.
    """

    def __init__(
        self,
        shard: Shard,
        publisher: ItemListPublisher,
        load: Callable[[Ints], Awaitable[None]],
        budget: MaintenanceBudget,
        interval_s: float,
        listed_update_offset: int = 0,
    ) -> None:
        self.listed_update_offset = self._sweeping_update_offset = listed_update_offset
        self._shard = shard
        self._publisher = publisher
        self._load = load
        self._budget = budget
        self._cycle = DutyCycle(0.0, 1)
        self._interval_s = interval_s
        self._due_time, self._busy_due_time = DueTime(interval_s), DueTime()
        self._norms_seen = shard.norms_seen
        self._changed: Bools = np.zeros(0, np.bool_)
        self._queue: Ints = np.zeros(0, np.int32)

    @property
    def pending(self) -> Bools:
        """The items whose change is not yet in all lists, bool by number."""
        pending = self._shard.norms.changed.copy()
        if len(self._queue):
            pending[: len(self._changed)] |= self._changed
        return pending

    async def step(self) -> float:
        """Compare some rows if it is time; return the seconds until the next step."""
        if self._shard.is_replaying:
            return self._interval_s
        if (wait_s := self._due_in_s()) > 0:
            return wait_s
        if not len(self._queue):
            self._begin()
        with self._cycle.measured():
            await self._compare(self._queue[:_ROWS_AT_ONCE])
        self._queue = self._queue[_ROWS_AT_ONCE:]
        if not len(self._queue):
            self.listed_update_offset = self._sweeping_update_offset
            self._budget.end(self._cycle)
            self._due_time.restart(self._interval_s)
            return self._interval_s
        return 0.0

    def _due_in_s(self) -> float:
        """Return the seconds until some rows are to be compared; 0 or less for now."""
        if len(self._queue):
            return 0.0 if self._urgent else self._budget.due_in_s(self._cycle)
        if not self._shard.norms.changed.any():
            return NEVER
        if not self._due_time.is_due and self._shard.norms_seen is self._norms_seen:
            return max(self._due_time.due_in_s, _SOON_S)
        if self._urgent:
            return 0.0
        return min(self._budget.quiet_in_s, self._busy_due_time.due_in_s)

    def close(self) -> None:
        """End a sweep that is under way; the other sweeps of the worker get its time."""
        self._budget.end(self._cycle)

    @property
    def _urgent(self) -> bool:
        """Whether the catalogue hid or showed an item that lists do not reflect yet."""
        return self._shard.visibility.last_update_offset > self.listed_update_offset

    def _begin(self) -> None:
        self._budget.begin(self._cycle)
        self._busy_due_time.restart(_BUSY_INTERVALS * self._interval_s)
        self._norms_seen = self._shard.norms_seen
        self._changed, decreased = self._shard.norms.take_changes()
        self._queue = self._shard.outdated(self._changed, decreased)
        self._sweeping_update_offset = self._shard.visibility.last_update_offset

    async def _compare(self, numbers: Ints) -> None:
        """Publish the lists of rows as far as they changed."""
        shard = self._shard
        numbers = numbers[~shard.lists.dirty[numbers]]
        if not len(numbers):
            return
        await self._load(numbers)
        ahead = shard.ahead(numbers)
        shard.lists.mark_dirty(numbers[ahead])
        numbers = numbers[~ahead]
        ranking = shard.rank(numbers)
        known = shard.lists.known[numbers]
        # This owner has not compared these lists yet. It may take a list for published only if
        # neither the item nor its neighbours changed since the checkpoint. That includes changes
        # since the sweep began.
        size = len(shard.owned)
        moving = resized(self._changed, size) | resized(shard.norms.changed, size)
        unseen = ~known & ~moving[numbers] & ~shard.rows.with_neighbours(numbers, moving)
        if unseen.any():
            lines = np.flatnonzero(unseen)
            await self._publisher.recall(shard, numbers[lines], ranking.only(lines))
        changed = shard.lists.differs(numbers, ranking)
        if changed.any():
            await self._publisher.publish(shard, numbers, ranking, changed)
