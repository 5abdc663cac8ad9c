"""Decides when a shard is stored, and which of its lists are pending at that moment."""

import time
from collections.abc import Callable

import numpy as np

from streamapp.agents.runtime.background import POLL_S, BackgroundTask
from streamapp.agents.runtime.context import StageContext
from streamapp.agents.scheduling.due_time import NEVER
from streamapp.agents.scheduling.duty_cycle import DutyCycle
from streamapp.agents.shard.checkpoint import Checkpoint
from streamapp.agents.shard.item_list_publisher import ItemListPublisher
from streamapp.agents.shard.log_applier import LogApplier
from streamapp.agents.shard.norm_change_sweep import NormChangeSweep
from streamapp.agents.shard.pending_lists import PendingLists
from streamapp.agents.shard.republication import Republication
from streamapp.agents.shard.shard_snapshot import ShardSnapshot
from streamapp.core.arrays.array_types import Bools, Ints
from streamapp.core.shard.shard import Shard
from streamapp.store.slot.head import ShardHead

_STORE_REST = 10
"""While messages wait, checkpoints of all shards run for a tenth of the time at most."""

_IDLE_S = 0.05
"""Seconds without deltas after which a shard is stored as soon as its lists are published."""

_NO_ROWS: Ints = np.zeros(0, np.int32)


class CheckpointScheduler:
    """Stores a shard in the background.

    Args:
        context: How often to store, how much memory rows may take, and who polls the head.
        shard: The shard.
        checkpoint: Writes it.
        log: Knows the applied messages.
        publisher: Knows which lists are in flight.
        sweep: Knows which lists may be out of date.
        republication: Knows whether all lists are to be published again.
    """

    def __init__(
        self,
        context: StageContext,
        shard: Shard,
        checkpoint: Checkpoint,
        log: LogApplier,
        publisher: ItemListPublisher,
        sweep: NormChangeSweep,
        republication: Republication,
    ) -> None:
        self._row_cache_bytes = context.settings.row_cache_bytes
        self._heads = context.heads
        self._shard = shard
        self._checkpoint = checkpoint
        self._log = log
        self._publisher = publisher
        self._sweep = sweep
        self._republication = republication
        self._interval_s = context.settings.checkpoint_interval
        self._changed_at = 0.0
        self._own_messages = context.own_messages
        self._pauses = context.checkpoint_pauses
        self._cycle = DutyCycle(context.settings.checkpoint_interval, _STORE_REST)
        self._pauses.add(self._cycle)
        self._writing = BackgroundTask[None]()

    def connect(self, wake: Callable[[], None]) -> None:
        """Take in how to call for a step when a checkpoint has ended."""
        self._writing.on_end = wake

    async def step(self, *, busy: bool) -> float:
        """Start a checkpoint if one is due; return the seconds until the next step.

        Args:
            busy: Whether deltas wait.
        """
        if self._writing.is_running:
            return NEVER
        if self._writing.is_done:
            await self._writing.join()
            # Rows leave memory only while no checkpoint runs, which would miss them.
            self._shard.shrink(self._row_cache_bytes)
        due_in_s = self._due_in_s(busy=busy)
        if due_in_s <= 0:
            with self._cycle.measured():
                snapshot = self._take()
            if snapshot is None:
                # What changes next, changes in another step of the stage, and this one follows it.
                return NEVER
            self._writing.start(self._write(snapshot))
            return NEVER
        return max(due_in_s, POLL_S)

    async def store_all(self) -> None:
        """Store everything that was applied."""
        await self._writing.join()
        if (snapshot := self._take()) is not None:
            self._writing.start(self._write(snapshot))
            await self._writing.join()

    async def cancel(self) -> None:
        """Stop a checkpoint that runs; the next owner reads the log again."""
        await self._writing.cancel()

    def _due_in_s(self, *, busy: bool) -> float:
        now = time.monotonic()
        if self._checkpoint.is_complete(self._shard.position):
            self._changed_at = now
            return self._cycle.due_in_s(busy=busy)
        if busy or self._own_messages.wait_s > 0:
            # The worker may have nothing more to apply before the pause is over.
            return min(self._pauses.due_in_s(self._cycle, busy=True), self._interval_s)
        ready_at = self._changed_at + self._interval_s
        if not self._shard.lists.dirty.any() and not self._in_flight().any():
            ready_at = min(ready_at, self._log.applied_at + _IDLE_S)
        return max(self._cycle.due_in_s(busy=False), ready_at - now)

    def _take(self) -> ShardSnapshot | None:
        # A list that is in flight may get lost with this process, so its row stays pending.
        dirty = self._shard.lists.dirty | self._in_flight()
        pending = PendingLists.of(dirty, self._sweep.pending, self._republication.at)
        last = self._log.fingerprint
        about = ShardHead(
            last_record=None if last is None else last.encode(),
            replayed=self._log.replayed,
            published=self._publisher.published,
            listed_update_offset=self._sweep.listed_update_offset,
        )
        return self._checkpoint.take(self._shard, pending, about)

    def _in_flight(self) -> Bools:
        rows = self._publisher.sender.in_flight
        return self._shard.mask(_NO_ROWS if rows is None else rows)

    async def _write(self, snapshot: ShardSnapshot) -> None:
        with self._cycle.measured():
            await self._checkpoint.write(self._shard, snapshot)
        self._heads.changed()
