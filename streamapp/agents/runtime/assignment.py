"""The partitions that a worker has, and the tasks that work on them."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import count

from redis.asyncio import Redis

from streamapp.agents.runtime.background import gather_all
from streamapp.agents.runtime.partition_task import PartitionTask
from streamapp.agents.runtime.task_host import TaskHost
from streamapp.errors import PositionMovedError
from streamapp.store.slot.head import Head
from streamapp.store.slot.head_reader import read_heads
from streamapp.transport.records import TP, Offsets, RecordBatch, RecordFingerprint

logger = logging.getLogger(__name__)

_FINISH_S = 3.0
"""Seconds in which a worker that stops applies the batches that wait, and publishes lists."""

_STORE_S = 2.0
"""Seconds after these in which it stores what it has applied."""

_OPENED_AT_ONCE = 8
"""Stages that are opened at the same time."""

_ENDED_AT_ONCE = 8
"""Tasks that end at the same time. Each step of a task takes longer beside those of others, and a
step that has begun is not given up when the time is over."""


class Assignment:
    """Runs partition tasks for the partitions of a worker, and ends them when they are revoked.

    Args:
        worker: Makes stages, moves the consumer, and receives the error that ends a task.
    """

    def __init__(self, worker: TaskHost) -> None:
        self._worker = worker
        self._tasks: dict[TP, PartitionTask] = {}
        self._epochs = count(1)
        self._compared: dict[TP, RecordFingerprint] = {}
        self._opening = asyncio.Lock()

    async def open(self, offsets: Mapping[TP, Offsets]) -> Mapping[TP, int]:
        """Take over these partitions and no others; return where to start reading each."""
        async with self._opening:
            await self.drop()
            try:
                tasks = await self._open_tasks(offsets)
            except Exception as error:
                self._worker.fail(error)
                raise
            self._tasks, self._compared = tasks, {}
            turn_to_end = asyncio.Semaphore(_ENDED_AT_ONCE)
            for task in self._distinct():
                task.start(turn_to_end)
            return {tp: task.stage.position(tp) for tp, task in tasks.items()}

    async def drop(self) -> None:
        """End every task at once; the next owner reads unstored records again."""
        await asyncio.gather(*(task.drop() for task in self._distinct()))
        self._tasks.clear()

    def suspect_loss(self) -> None:
        """Let every task read its state again: Redis may have lost writes."""
        for task in self._distinct():
            task.suspect_loss()

    async def finish(self) -> None:
        """Let every task store its batches, and end.

        A task that has not ended in time ends at once. The next owner of its partitions reads the
        records that are not stored.
        """
        until = time.monotonic() + _FINISH_S
        ends = {}
        for task in self._distinct():
            task.stop(until)
            ends[asyncio.ensure_future(task.finish(until))] = task
        if not ends:
            return
        _, late = await asyncio.wait(ends, timeout=_FINISH_S + _STORE_S)
        await asyncio.gather(*(ends[end].drop() for end in late))
        if late:
            logger.warning(
                "%d of %d tasks did not end in time; the next owner of their partitions reads the "
                "records that are not stored", len(late), len(ends),
            )  # fmt: skip
        await asyncio.gather(*ends)

    def put(self, batch: RecordBatch) -> None:
        """Give a batch to its task; a batch that was read before the last seek is void."""
        task = self._tasks.get(batch.tp)
        if task is not None and batch.epoch == task.epoch:
            task.put(batch)

    async def check(self) -> None:
        """Check that topics still hold the records that were applied at the previous check.

        Raises:
            StateError: a topic was deleted and created again.
        """
        tasks = self._distinct()
        latest = {tp: last for task in tasks for tp, last in task.last_applied.items()}
        first = {tp: last for task in tasks for tp, last in task.first_applied.items()}
        await self._worker.check_fingerprints(first | self._compared)
        self._compared = latest

    async def verify(self, redis: Redis) -> None:
        """Compare the stored position of every slot with the one that its stage left there.

        They differ if Redis went back in time, or if there is another owner. The task of such a
        slot reads its state again.

        Args:
            redis: A client that answers in bytes.

        Raises:
            StreamappError: Redis refuses, or holds something else.
        """
        expected = [
            (task, slot, slot.position)
            for task in self._distinct()
            for slot in task.slots
            if slot.position is not None
        ]
        heads = await read_heads(redis, [slot.keys.head for _, slot, _ in expected], Head)
        for (task, slot, position), head in zip(expected, heads, strict=True):
            found = -1 if head is None else head.position
            # A position that its stage has moved since, or moves now, is compared by that move.
            if found != position and slot.position == position:
                task.find_moved(slot, PositionMovedError(position, found))

    def epoch(self, tp: TP) -> int:
        """Return a number that changes whenever reading of `tp` starts at another offset."""
        task = self._tasks.get(tp)
        return 0 if task is None else task.epoch

    def with_capacity(self, tps: Iterable[TP]) -> set[TP]:
        """Return the partitions among `tps` whose task takes more batches."""
        return {tp for tp in tps if tp in self._tasks and self._tasks[tp].has_capacity}

    def stored_position(self, tp: TP) -> int | None:
        """Return the first offset that the stored state does not hold, or None if not owned."""
        task = self._tasks.get(tp)
        return None if task is None else task.stage.stored_position(tp)

    def _distinct(self) -> list[PartitionTask]:
        return list(dict.fromkeys(self._tasks.values()))

    async def _open_tasks(self, offsets: Mapping[TP, Offsets]) -> dict[TP, PartitionTask]:
        """Return a task that is not started yet for each partition."""
        members: dict[str, dict[TP, Offsets]] = {}
        for tp, known in offsets.items():
            members.setdefault(self._worker.task_of(tp), {})[tp] = known
        tasks: dict[TP, PartitionTask] = {}
        waiting = deque(members.values())

        async def open_others() -> None:
            while waiting:
                some = waiting.popleft()
                try:
                    stage = await self._worker.open_stage(some, lists_suspect=False)
                except BaseException:
                    # The worker ends, so no other stage needs to open.
                    waiting.clear()
                    raise
                task = PartitionTask(list(some), stage, self._worker, self._epochs)
                tasks.update(dict.fromkeys(some, task))

        await gather_all(*(open_others() for _ in range(_OPENED_AT_ONCE)))
        await self._worker.check_fingerprints(
            {tp: task.stage.fingerprint(tp) for tp, task in tasks.items()}
        )
        return tasks
