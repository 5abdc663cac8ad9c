"""Scans histories for idle users, and asks for these users to be forgotten.

The request goes into the log of interactions and is applied at its position there, like an
interaction. So counts stay a function of the log (ADR-0007). A request that comes twice, or after
the user came back, changes nothing.
"""

import time

from streamapp.agents.runtime.context import StageContext
from streamapp.agents.scheduling.due_time import NEVER, DueTime
from streamapp.core.histories.history import newest_ts
from streamapp.core.messages.interaction_batch import encode_idle
from streamapp.store.slot.slot import Slot
from streamapp.transport.producer import Outgoing

_REST = 10
"""Pause after a scan as a multiple of the scan, so that it costs a tenth of the time at most."""

_DAY_S = 86_400.0


class IdleUserScan:
    """Scans the histories of one partition, some at a time, again and again.

    It removes nothing: `HistoryReviser` forgets a user when it applies the request.
    """

    def __init__(self, context: StageContext, slot: Slot, partition: int) -> None:
        self._producer = context.producer
        self._target = context.pipeline.interactions_topic, partition
        self._forget_after_s = context.settings.forget_after
        self._decay = context.pipeline.decay
        self._slot = slot
        self._cursor = 0
        self._due_time = DueTime()

    async def step(self, now_ts: float) -> float:
        """Scan some histories if it is time; return the seconds until the next scan.

        A user is forgotten after twice the time after which an interaction starts a new history. So
        an interaction that is late by the difference changes nothing.

        Args:
            now_ts: Newest event time of the partition in seconds.
        """
        if not self._forget_after_s:
            return NEVER
        if self._due_time.is_due:
            began_at = time.monotonic()
            await self._scan(now_ts - 2 * self._forget_after_s)
            took_s = time.monotonic() - began_at
            complete = self._cursor == 0
            pass_pause_s = min(max(1.0, self._forget_after_s / 10), _DAY_S)
            self._due_time.restart(pass_pause_s if complete else _REST * took_s)
        return self._due_time.due_in_s

    async def _scan(self, before_ts: float) -> None:
        """Ask for users to be forgotten who did nothing since `before_ts`."""
        self._cursor, users = await self._slot.blobs.scan(self._cursor)
        idle = [
            (user, ts)
            for user, blob in zip(users, await self._slot.blobs.read(users), strict=True)
            if blob and blob[1] and (ts := newest_ts(blob[1], self._decay)) < before_ts
        ]
        if idle:
            message = Outgoing(encode_idle(self._slot.state_id, idle))
            await self._producer.deliver({self._target: [message]})
