"""Agents. A lane: runs one stage, one step at a time, on what comes in for its partitions."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from faust.types import TP

from streamapp.agents.stage import Stage
from streamapp.errors import FenceMovedError, StateError
from streamapp.transport.records import RecordBatch

logger = logging.getLogger(__name__)

_VERIFY_S = 2.0
"""An idle lane looks this often whether the state is still where it left it."""

_ROOM_BATCHES = 16
"""Batches that may wait; a batch is what one read brought, so at most a few megabytes."""


class Lane:
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
        self._beginning = beginning
        self._applied = applied
        self._fail = fail
        self._inbox: deque[RecordBatch] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
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
        self._doubt = True
        self._wake.set()

    @property
    def has_room(self) -> bool:
        """Whether more batches should be read."""
        return len(self._inbox) < _ROOM_BATCHES and not self._stopping and not self._opening

    async def finish(self) -> None:
        """Apply what waits, store it, and end."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def drop(self) -> None:
        """End at once; what is not stored is left to the next owner."""
        self._stopping = True
        self._inbox.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            wait, verified_at = 0.0, time.monotonic()
            while not (self._stopping and not self._inbox):
                await self._pause(min(wait, _VERIFY_S))
                batches = list(self._inbox)
                self._inbox.clear()
                try:
                    if self._doubt:
                        await self._open_anew()
                    elif batches:
                        await self._check_sequence(batches)
                        await self.stage.apply(batches)
                        self._applied(batches)
                    elif time.monotonic() > verified_at + _VERIFY_S:
                        await self.stage.verify()
                        verified_at = time.monotonic()
                    wait = await self.stage.work(busy=bool(self._inbox))
                except FenceMovedError as moved:
                    logger.warning("%s; reading the state anew", moved)
                    await self._open_anew()
                    wait = 0.0
            await self.stage.finish()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the process must not go on
            self._fail(error)

    async def _check_sequence(self, batches: Sequence[RecordBatch]) -> None:
        """Look whether the batches go on where the stage is.

        Offsets may be missing where a tracker used transactions or a topic was compacted, but not
        because the broker has already dropped records, and not in what only this app writes.

        Raises:
            StateError: records came again that were applied, or records are lost.
        """
        expected: dict[TP, int] = {}
        for batch in batches:
            at = expected.get(batch.tp, self.stage.position(batch.tp))
            first = batch.records[0].offset
            where = f"{batch.tp.topic}[{batch.tp.partition}]"
            if first < at:
                raise StateError(
                    f"{where} went back from offset {at} to {first}: was the topic made anew? "
                    "Use another GROUP_ID and STATE_PREFIX to start anew"
                )
            if first > at and (await self._beginning(batch.tp)) > at:
                raise StateError(
                    f"{where} no longer holds the records from offset {at} to {first}: they were "
                    "dropped before they were read, so counts cannot be exact"
                )
            if first > at and self.stage.contiguous:
                raise StateError(
                    f"{where} was read from offset {first} on instead of {at}; nothing is lost: "
                    "start the worker again, and it reads on from what is stored"
                )
            expected[batch.tp] = batch.end

    async def _pause(self, seconds: float) -> None:
        """Wait for a batch, `finish` or the time to pass, and let others run in any case."""
        self._wake.clear()
        if self._inbox or self._stopping or seconds <= 0:
            await asyncio.sleep(0)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)

    async def _open_anew(self) -> None:
        doubt, self._doubt = self._doubt, False
        self._opening = True
        self.clear()
        await self._reopen(self, doubt=doubt)
        self._opening = False
