"""Runs the stage of some partitions, one step at a time, on the record batches that come in."""

import asyncio
import logging
import math
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from enum import Enum, auto

from streamapp.agents.runtime.gap_check import GapCheck
from streamapp.agents.runtime.inbox import Inbox
from streamapp.agents.runtime.stage import Stage
from streamapp.agents.runtime.task_host import TaskHost
from streamapp.errors import GapError, PositionMovedError
from streamapp.store.slot.slot import Slot
from streamapp.transport.records import TP, RecordBatch, RecordFingerprint

logger = logging.getLogger(__name__)

_LONGEST_WAIT_S = 2.0
"""Most seconds without a look at the stage, which may have to raise an error of the background."""

_GRAIN_S = 0.001
"""Wakes of tasks are so far apart, or at the same time; the event loop counts in milliseconds."""

_RETRY_S = 0.05
"""Seconds between a failed step and the next reading of the state."""

_AT_ONCE = nullcontext()


class TaskState(Enum):
    """The next step of a partition task.

    `suspect_loss`, a position that another owner or a rollback of Redis moved, or a gap in the log
    lead from RUNNING to STALE. Reading the state again leads through OPENING back to RUNNING.
    `drop` leads from any of them to DROPPED, the end.
    """

    RUNNING = auto()
    """Applies batches and runs the stage when it is due."""

    STALE = auto()
    """Must read the state again before it applies anything."""

    OPENING = auto()
    """Reads the state again."""

    DROPPED = auto()
    """Belongs to another worker; stores nothing more."""


class PartitionTask:
    """Feeds one stage after another with the records of some partitions.

    Args:
        partitions: The partitions.
        stage: The first stage, which was just made.
        worker: Makes further stages, seeks, and receives the error that ends the task.
        epochs: Numbers that rise, one for each time reading starts at another offset.

    Attributes:
        stage: The current stage.
        epoch: Batches that were read under another number are void.
        first_applied: The last record of the first batch that was applied, by partition.
        last_applied: The last record that was applied, by partition.
    """

    def __init__(
        self, partitions: Sequence[TP], stage: Stage, worker: TaskHost, epochs: Iterable[int]
    ) -> None:
        self.stage = stage
        self._wake = asyncio.Event()
        stage.connect(self._wake.set)
        self.first_applied: dict[TP, RecordFingerprint] = {}
        self.last_applied: dict[TP, RecordFingerprint] = {}
        self._partitions = partitions
        self._worker = worker
        self._epochs = iter(epochs)
        self.epoch = next(self._epochs)
        self._gap_check = GapCheck(self._beginning)
        self._inbox = Inbox(len(partitions))
        self._state = TaskState.RUNNING
        self._finishing, self._until = False, math.inf
        self._lists_suspect = False
        self._task: asyncio.Task[None] | None = None

    def start(self, turn_to_end: AbstractAsyncContextManager[None] = _AT_ONCE) -> None:
        """Start to work.

        Args:
            turn_to_end: Held while the task ends, so that not all tasks of a worker do so together.
        """
        self._own_stage()
        self._task = asyncio.create_task(self._run(turn_to_end))

    def put(self, batch: RecordBatch) -> None:
        """Take a batch in, unless the task is about to end."""
        if not self._finishing:
            self._inbox.put(batch)
            self._wake.set()

    def suspect_loss(self) -> None:
        """Read the state again before anything else: Redis may have lost writes, and lists."""
        if self._state is not TaskState.DROPPED:
            self._state, self._lists_suspect = TaskState.STALE, True
        self._wake.set()

    @property
    def slots(self) -> Sequence[Slot]:
        """The slots of the stage; none while it is not in use."""
        return self.stage.slots if self._state is TaskState.RUNNING else ()

    def find_moved(self, slot: Slot, reason: PositionMovedError) -> None:
        """Read the state again, because the stored position of a slot is not where it was left.

        Nothing happens if the task has read the state again, or does so anyway.
        """
        if slot in self.slots:
            logger.warning("%s; reading the state again", reason)
            self._state = TaskState.STALE
            self._wake.set()

    @property
    def has_capacity(self) -> bool:
        """Whether more batches should be read."""
        open_ = self._state is TaskState.RUNNING and not self._finishing
        return open_ and self._inbox.has_capacity

    def stop(self, until: float = math.inf) -> None:
        """Take in no more batches, and end when the waiting ones are stored.

        Args:
            until: Monotonic time in seconds. The next owner reads the batches that wait then.
        """
        self._finishing, self._until = True, until
        self._wake.set()

    async def finish(self, until: float = math.inf) -> None:
        """Apply the batches that wait, store them, and end; `until` is as for `stop`."""
        self.stop(until)
        if self._task is not None:
            await asyncio.wait([self._task])

    async def drop(self) -> None:
        """End at once; the next owner reads unstored records again."""
        # The state is set because a cancellation may get lost: an awaited call can swallow it if
        # its answer arrives at the same moment.
        self._state, self._finishing = TaskState.DROPPED, True
        self._inbox.take_all()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.stage.close()

    async def _run(self, turn_to_end: AbstractAsyncContextManager[None]) -> None:
        try:
            wait_s = 0.0
            while not self._finishing:
                wait_s = await self._step(wait_s)
            async with turn_to_end:
                while self._must_step_before_end():
                    await self._step(0.0)
                if self._state is not TaskState.DROPPED:
                    await self._end()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the process must not go on
            self._worker.fail(error)
        finally:
            self._worker.own_messages.release(self._partitions)

    async def _step(self, wait_s: float) -> float:
        """Apply what waits, and let the stage work; return the seconds until the next step.

        Args:
            wait_s: Most seconds until something comes in.
        """
        await self._pause(min(wait_s, _LONGEST_WAIT_S))
        batches = self._taken()
        try:
            if self._state is TaskState.STALE:
                await self._reopen()
            elif batches:
                await self._apply(batches)
            # The stage has its own last step.
            return 0.0 if self._finishing else await self.stage.work(busy=bool(self._inbox))
        except (PositionMovedError, GapError) as reason:
            logger.warning("%s; reading the state again", reason)
            self._move_to(TaskState.STALE)
            return _RETRY_S

    def _taken(self) -> list[RecordBatch]:
        """Take the batches that wait; one at a time while the task ends, and none in the end."""
        if self._finishing and time.monotonic() < self._until and self._inbox:
            return [self._inbox.take()]
        batches = self._inbox.take_all()
        return [] if self._finishing else batches

    def _must_step_before_end(self) -> bool:
        if self._state is TaskState.DROPPED:
            return False
        return bool(self._inbox) or self._state is TaskState.STALE

    def _move_to(self, state: TaskState) -> None:
        """Change the state, unless the task was dropped."""
        if self._state is not TaskState.DROPPED:
            self._state = state

    async def _apply(self, batches: Sequence[RecordBatch]) -> None:
        await self._gap_check.check(self.stage, batches)
        await self.stage.apply(batches)
        for batch in batches:
            last = RecordFingerprint.of(batch.records[-1])
            self.first_applied.setdefault(batch.tp, last)
            self.last_applied[batch.tp] = last
            self._worker.own_messages.applied(batch.tp, batch.end)

    async def _end(self) -> None:
        try:
            await self.stage.finish(self._until)
        except PositionMovedError as reason:
            logger.warning("%s; leaving what is not stored to the other owner", reason)

    async def _pause(self, seconds: float) -> None:
        """Wait for a batch, `stop`, the stage or the time; let other tasks run at least once."""
        if self._inbox or self._finishing or seconds <= 0:
            await asyncio.sleep(0)
        else:
            await self._sleep(seconds)
        # Not before: background work may have ended while the stage was at work.
        self._wake.clear()

    async def _sleep(self, seconds: float) -> None:
        """Wait until the task is woken, or the time has passed.

        Tasks that may sleep equally long wake in the same turn of the event loop, which costs more
        than the look of an idle task at its stage.
        """
        loop = asyncio.get_running_loop()
        grain_s = _LONGEST_WAIT_S if seconds >= _LONGEST_WAIT_S else _GRAIN_S
        at = (loop.time() + seconds) // grain_s * grain_s
        timer = loop.call_at(at if grain_s > _GRAIN_S else at + grain_s, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    async def _beginning(self, tp: TP) -> int:
        return (await self._worker.read_offsets({tp: None}))[tp].beginning

    async def _reopen(self) -> None:
        """Throw the stage away, make another one, and read on from its positions."""
        suspect, self._lists_suspect = self._lists_suspect, False
        self._move_to(TaskState.OPENING)
        self._worker.own_messages.release(self._partitions)
        try:
            stored = {tp: self.stage.stored_position(tp) for tp in self._partitions}
            offsets = await self._worker.read_offsets(stored)
            await self.stage.close()
            await self.stage.drain()
            self.stage = await self._worker.open_stage(offsets, lists_suspect=suspect)
            self.stage.connect(self._wake.set)
            await self._worker.check_fingerprints(
                {tp: self.stage.fingerprint(tp) for tp in self._partitions}
            )
        except PositionMovedError:
            self._lists_suspect = self._lists_suspect or suspect
            raise
        # Batches that were read so far are void. The task has no capacity, so nothing else is read
        # until it runs again.
        self.epoch = next(self._epochs)
        # A worker that ends gives its partitions up meanwhile, and cannot seek.
        if not self._finishing:
            await self._worker.seek({tp: self.stage.position(tp) for tp in self._partitions})
        self._inbox.take_all()
        self._own_stage()
        if self._state is TaskState.OPENING:
            self._state = TaskState.RUNNING

    def _own_stage(self) -> None:
        positions = {tp: self.stage.position(tp) for tp in self._partitions}
        self._worker.own_messages.own(positions)
