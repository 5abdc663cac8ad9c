"""Decides when the changed lists of a shard are published."""

import math
import time
from collections.abc import Awaitable, Callable

from streamapp.agents.scheduling.due_time import NEVER
from streamapp.agents.scheduling.duty_cycle import DutyCycle
from streamapp.agents.scheduling.maintenance_budget import MaintenanceBudget
from streamapp.agents.shard.item_list_publisher import ItemListPublisher
from streamapp.agents.shard.norm_change_sweep import NormChangeSweep
from streamapp.core.arrays.array_types import Ints
from streamapp.core.shard.shard import Shard

_PUBLISH_S = 0.01
"""Lists that change within this many seconds are published together."""

_PUBLISH_REST = 8
"""While deltas wait, the pause after publishing as a multiple of it.

The longer the pause, the more changes go into each list.
"""

_AT_ONCE = 500
"""Lists that are published together when the worker stops."""


class PublishScheduler:
    """Publishes lists of rows that changed, in turns with the sweep of the shard.

    Args:
        shard: The shard.
        publisher: Publishes its lists.
        sweep: Publishes lists whose rows did not change.
        load: Brings rows into memory.
        budget: The time that sweeps have.
    """

    def __init__(
        self,
        shard: Shard,
        publisher: ItemListPublisher,
        sweep: NormChangeSweep,
        load: Callable[[Ints], Awaitable[None]],
        budget: MaintenanceBudget,
    ) -> None:
        self._shard = shard
        self._publisher = publisher
        self._sweep = sweep
        self._load = load
        self._budget = budget
        self._cycle = DutyCycle(_PUBLISH_S, _PUBLISH_REST)
        self._sweeps_first = False

    def connect(self, wake: Callable[[], None]) -> None:
        """Take in how to call for a step when the topic has the lists that were sent."""
        self._publisher.sender.on_end = wake

    async def step(self, *, busy: bool) -> float:
        """Publish the lists that are due; return the seconds until more are due.

        A step that waits for the broker returns `NEVER`: the end of the sending calls for another.

        One batch of lists is in flight at a time, so changed rows and the sweep take turns. Neither
        waits until the other has nothing to send. Deltas do not wait for the broker; only the next
        lists do.

        Args:
            busy: Whether deltas wait.
        """
        sender = self._publisher.sender
        if sender.is_done:
            await sender.join()
        if sender.is_running:
            return NEVER
        self._sweeps_first = not self._sweeps_first
        sweep_in_s = await self._sweep.step() if self._sweeps_first else 0.0
        if not sender.is_running and self._cycle.due_in_s(busy=busy) <= 0:
            dirty = self._shard.lists.dirty_numbers()
            await self._publish(dirty[self._publisher.due_in_s(dirty) <= 0])
        if not sender.is_running and not self._sweeps_first:
            sweep_in_s = await self._sweep.step()
        if sender.is_running:
            return NEVER
        if not len(dirty := self._shard.lists.dirty_numbers()):
            return sweep_in_s
        lists_in_s = float(self._publisher.due_in_s(dirty).min())
        return min(sweep_in_s, max(self._cycle.due_in_s(busy=busy), lists_in_s))

    async def publish_all(self, until: float = math.inf) -> None:
        """Publish the lists that changed, and wait until the broker has them.

        Args:
            until: Monotonic time in seconds. Rows whose lists are left over then stay pending.
        """
        dirty = self._shard.lists.dirty_numbers()
        for start in range(0, len(dirty), _AT_ONCE):
            if time.monotonic() >= until:
                break
            await self._publish(dirty[start : start + _AT_ONCE])
        await self._publisher.sender.join()

    async def _publish(self, numbers: Ints) -> None:
        shard = self._shard
        if not len(numbers) or shard.is_replaying:
            return
        with self._cycle.measured():
            await self._load(numbers)
            numbers = numbers[~shard.ahead(numbers)]
            ranking = shard.rank(numbers)
            changed = shard.lists.differs(numbers, ranking)
            shard.lists.mark_clean(numbers[~changed])
            await self._publisher.publish(shard, numbers, ranking, changed)
        self._budget.published(len(numbers))
