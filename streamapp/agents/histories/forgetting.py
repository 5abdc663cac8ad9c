"""Forgetting: finds the histories of idle users, and asks for them to be forgotten.

What is to be forgotten goes into the log of interactions and is applied where it stands there, like
an interaction: so counts stay a function of the log (ADR-0007). A message that comes twice, or
after the user came back, changes nothing.
"""

import time

from streamapp.agents.runtime.context import StageContext
from streamapp.core.histories.history import newest_ts
from streamapp.core.messages.interaction_batch import encode_idle
from streamapp.store.slot.slot import Slot
from streamapp.transport.producer import Outgoing

_NEVER_S = 3600.0

_REST = 10
"""A look rests ten times as long as it took, so that it costs a tenth of the time at most."""

_DAY_S = 86_400.0


class Forgetting:
    """Goes through the histories of one partition, some at a time, again and again."""

    def __init__(self, outside: StageContext, slot: Slot, partition: int) -> None:
        self._publisher = outside.publisher
        self._target = outside.pipeline.interactions_topic, partition
        self._forget_after_s = outside.settings.forget_after
        self._decay = outside.pipeline.decay
        self._slot = slot
        self._cursor = 0
        self._due_at = 0.0

    async def step(self, now_ts: float) -> float:
        """Look at some histories if it is time; return the seconds until the next look.

        Args:
            now_ts: Newest event time of the partition in seconds.

        A user is asked to be forgotten after twice the time after which an interaction begins a
        history anew, so that an interaction which is late by the difference changes nothing.
        """
        if not self._forget_after_s:
            return _NEVER_S
        began_at = time.monotonic()
        if began_at >= self._due_at:
            await self._look(now_ts - 2 * self._forget_after_s)
            took_s = time.monotonic() - began_at
            passed = self._cursor == 0
            rest_s = min(max(1.0, self._forget_after_s / 10), _DAY_S) if passed else _REST * took_s
            self._due_at = time.monotonic() + rest_s
        return max(0.0, self._due_at - time.monotonic())

    async def _look(self, before_ts: float) -> None:
        self._cursor, users = await self._slot.scan(self._cursor)
        idle = [
            (user, ts)
            for user, blob in zip(users, await self._slot.read(users), strict=True)
            if blob and blob[1] and (ts := newest_ts(blob[1], self._decay)) < before_ts
        ]
        if idle:
            message = Outgoing(encode_idle(self._slot.generation, idle))
            await self._publisher.deliver({self._target: [message]})
