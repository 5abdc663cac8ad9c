"""A lane: runs one stage, one step at a time, on what comes in for its partitions."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from streamapp.agents.runtime.continuity import OffsetContinuity
from streamapp.agents.runtime.stage import Stage
from streamapp.errors import GapError, PositionMovedError
from streamapp.transport.records import TP, RecordBatch

logger = logging.getLogger(__name__)

_VERIFY_S = 2.0
"""An idle lane looks this often whether the state is still where it left it."""

_AGAIN_S = 0.05
"""What cannot go on is read anew after so many seconds."""

_ROOM_BATCHES = 16
"""Batches that may wait; a batch is what one read brought, so at most a few megabytes."""


class PartitionTask:
    """Feeds a stage.

    Args:
        stage: What to run.
        reopen: Called with the lane when its state must be read anew; opens the stage and seeks.
        beginning: Asks Kafka for the first offset of a partition.
        applied: Told which batches were applied.
        fail: Called with whatever else ends the lane.
    """

    def __init__(
        self,
        stage: Stage,
        reopen: Callable[..., Awaitable[None]],
        beginning: Callable[[TP], Awaitable[int]],
        applied: Callable[[Sequence[RecordBatch]], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        self.stage = stage
        self._reopen = reopen
        self._succession = OffsetContinuity(stage, beginning)
        self._applied = applied
        self._fail = fail
        self._inbox: deque[RecordBatch] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
        self._dropped = False
        self._stale = False
        self._doubt = False
        self._opening = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.create_task(self._run())

    def put(self, batch: RecordBatch) -> None:
        """Take a batch in."""
        if not self._stopping:
            self._inbox.append(batch)
            self._wake.set()

    def clear(self) -> None:
        """Forget what waits; it will be read again."""
        self._inbox.clear()

    def doubt(self) -> None:
        """Read the state anew before anything else: Redis may have lost writes."""
        self._stale = self._doubt = True
        self._wake.set()

    @property
    def has_room(self) -> bool:
        """Whether more batches should be read."""
        closed = self._stopping or self._opening or self._stale
        return len(self._inbox) < _ROOM_BATCHES and not closed

    async def finish(self) -> None:
        """Apply what waits, store it, and end."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def drop(self) -> None:
        """End at once; what is not stored is left to the next owner."""
        # What is awaited may take a cancellation for itself if its answer comes at that moment.
        self._stopping = self._dropped = True
        self._inbox.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.stage.close()

    async def _run(self) -> None:
        try:
            wait, verified_at = 0.0, time.monotonic()
            while not self._dropped and (self._inbox or self._stale or not self._stopping):
                await self._pause(min(wait, _VERIFY_S))
                batches = list(self._inbox)
                self._inbox.clear()
                try:
                    if self._stale:
                        await self._open_anew()
                    elif batches:
                        await self._succession.check(batches)
                        await self.stage.apply(batches)
                        self._applied(batches)
                    elif time.monotonic() > verified_at + _VERIFY_S:
                        await self.stage.verify()
                        verified_at = time.monotonic()
                    wait = await self.stage.work(busy=bool(self._inbox))
                except (PositionMovedError, GapError) as reason:
                    logger.warning("%s; reading the state anew", reason)
                    self._stale, wait = True, _AGAIN_S
            if not self._dropped:
                await self._end()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the process must not go on
            self._fail(error)

    async def _end(self) -> None:
        try:
            await self.stage.finish()
        except PositionMovedError as reason:
            logger.warning("%s; leaving what is not stored to whoever moved it", reason)

    async def _pause(self, seconds: float) -> None:
        """Wait for a batch, `finish` or the time to pass, and let others run in any case."""
        self._wake.clear()
        if self._inbox or self._stopping or seconds <= 0:
            await asyncio.sleep(0)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)

    async def _open_anew(self) -> None:
        doubt, self._doubt, self._stale = self._doubt, False, False
        self._opening = True
        self.clear()
        try:
            await self._reopen(self, doubt=doubt)
        except PositionMovedError:
            self._doubt = self._doubt or doubt
            raise
        finally:
            self._opening = False
