"""A partition task checks that the records it gets follow those that were applied."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

import pytest

from streamapp.agents.delivery.own_messages import OwnMessages
from streamapp.agents.runtime.gap_check import GapCheck
from streamapp.agents.runtime.partition_task import PartitionTask
from streamapp.errors import GapError, PositionMovedError, StateError
from streamapp.store.slot.slot import Slot
from streamapp.transport.records import TP, Offsets, RecordBatch, RecordFingerprint

HERE = TP("log", 0)
WITHIN_S = 10.0


@dataclass
class Record:
    """A record at an offset."""

    offset: int
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = None


@dataclass
class Stage:
    """Remembers the offsets that are applied, from offset 5 on."""

    contiguous: bool
    at: int = 5
    applied: list[int] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)
    wake: Callable[[], None] | None = None

    def connect(self, wake: Callable[[], None]) -> None:
        """Remember it."""
        self.wake = wake

    async def apply(self, batches: Sequence[RecordBatch]) -> None:
        """Remember the offsets."""
        for batch in batches:
            self.applied += [record.offset for record in batch.records]
            self.at = batch.end

    async def work(self, busy: bool) -> float:
        """Nothing."""
        return 3600.0

    async def finish(self, until: float = math.inf) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Remember it."""
        self.ended.append("closed")

    async def drain(self) -> None:
        """Remember it."""
        self.ended.append("drained")

    def position(self, tp: TP) -> int:
        """Return the next offset."""
        return self.at

    def stored_position(self, tp: TP) -> int:
        """Return the next offset."""
        return self.at

    def fingerprint(self, tp: TP) -> RecordFingerprint | None:
        """Return nothing."""
        return None


class Worker:
    """Makes stages for one partition, and remembers its calls."""

    def __init__(self, beginning: int = 0) -> None:
        self.beginning = beginning
        self.sought: asyncio.Queue[Mapping[TP, int]] = asyncio.Queue()
        self.failures: list[BaseException] = []
        self.stages: list[Stage] = []
        self.suspected: list[bool] = []
        self.moved: list[BaseException] = []
        self.own_messages = OwnMessages()

    def task_of(self, tp: TP) -> str:
        """Return a name."""
        return str(tp)

    async def open_stage(self, offsets: Mapping[TP, Offsets], *, lists_suspect: bool) -> Stage:
        """Return another stage that has applied the records of the last one; or fail as planned."""
        self.suspected.append(lists_suspect)
        if self.moved:
            raise self.moved.pop()
        before = self.stages[-1] if self.stages else Stage(contiguous=True)
        self.stages.append(Stage(before.contiguous, before.at, list(before.applied)))
        return self.stages[-1]

    async def read_offsets(self, stored: Mapping[TP, int | None]) -> Mapping[TP, Offsets]:
        """Return the same of every partition."""
        return {tp: Offsets(self.beginning, 5, 5) for tp in stored}

    async def seek(self, positions: Mapping[TP, int]) -> None:
        """Remember where to read on."""
        await self.sought.put(positions)

    async def check_fingerprints(self, applied: Mapping[TP, RecordFingerprint | None]) -> None:
        """Find nothing wrong."""

    def fail(self, error: BaseException) -> None:
        """Remember it."""
        self.failures.append(error)


def task_of(stage: Stage, worker: Worker) -> PartitionTask:
    """Return a task that is not started."""
    worker.stages.append(stage)
    return PartitionTask([HERE], stage, worker, count())


async def ran(stage: Stage, *reads: list[int], beginning: int = 0) -> list[BaseException]:
    """Give a task one read at first, and the next one after each seek; return what it failed with.

    The last read comes again after further seeks. The task ends when it has applied something.
    """
    left = list(reads)

    class Reading(Worker):
        async def open_stage(self, offsets: Mapping[TP, Offsets], *, lists_suspect: bool) -> Stage:
            return stage

        async def seek(self, positions: Mapping[TP, int]) -> None:
            asyncio.get_running_loop().call_soon(read)

    worker = Reading(beginning=beginning)
    task = task_of(stage, worker)

    def read() -> None:
        offsets = left.pop(0) if len(left) > 1 else left[0]
        task.put(RecordBatch(HERE, [Record(offset) for offset in offsets], task.epoch))

    read()
    task.start()
    deadline = time.monotonic() + WITHIN_S
    while not (stage.applied or worker.failures):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)
    await task.finish()
    return worker.failures


@pytest.mark.parametrize("contiguous", [True, False])
async def test_what_follows_is_applied(contiguous: bool) -> None:
    """The first record is at the position of the stage."""
    stage = Stage(contiguous)
    assert await ran(stage, [5, 6]) == []
    assert stage.applied == [5, 6]


@pytest.mark.parametrize("contiguous", [True, False])
@pytest.mark.parametrize("first", [[6, 7], [5, 7], [5, 8]])
async def test_a_record_that_a_broker_shows_late_is_waited_for(
    contiguous: bool, first: list[int]
) -> None:
    """Missing ahead of a batch, or within it; nothing behind it is applied before it is there."""
    stage = Stage(contiguous)
    assert await ran(stage, first, first, [5, 6, 7]) == []
    assert stage.applied == [5, 6, 7]


@pytest.mark.parametrize("read", [[8], [5, 8]])
async def test_a_gap_of_trackers_is_read_over(read: list[int]) -> None:
    """Transaction markers and compaction leave some in event topics."""
    stage = Stage(contiguous=False)
    assert await ran(stage, read) == []
    assert stage.applied == read


async def test_a_partition_with_gaps_is_not_read_again_for_each() -> None:
    """The cause of one gap causes more of them."""
    stage = Stage(contiguous=False)
    assert await ran(stage, [6, 8, 10, 20]) == []
    assert stage.applied == [6, 8, 10, 20]
    gap_check = GapCheck(beginning=_nowhere)
    stage.at = 21
    batch = RecordBatch(HERE, [Record(30)], 0)
    for _ in range(3):
        with pytest.raises(GapError, match="was read from offset 30 on instead of 21"):
            await gap_check.check(stage, [batch])
    await gap_check.check(stage, [batch])
    stage.at = 31
    await gap_check.check(stage, [RecordBatch(HERE, [Record(40), Record(42)], 0)])


async def test_another_gap_is_looked_at_from_the_first_time_on() -> None:
    """A broker that shows records late does so here and there."""
    stage = Stage(contiguous=False)
    gap_check = GapCheck(beginning=_nowhere)
    for offset in range(100, 120, 2):
        stage.at = offset
        with pytest.raises(GapError):
            await gap_check.check(stage, [RecordBatch(HERE, [Record(offset + 1)], 0)])


@pytest.mark.parametrize(
    ("contiguous", "read", "beginning", "says"),
    [
        (True, [8], 0, "was read 4 times from offset 8 on instead of 5"),
        (True, [5, 6, 9], 0, "was read 4 times from offset 9 on instead of 7"),
        (True, [4], 0, "went back from offset 5 to 4"),
        (False, [4], 0, "went back from offset 5 to 4"),
        (False, [8], 7, "no longer holds the records from offset 5 to 8"),
    ],
)
async def test_what_does_not_follow_is_not_applied(
    contiguous: bool, read: list[int], beginning: int, says: str
) -> None:
    """It ends the task, with a line that has the expected and the found offset."""
    stage = Stage(contiguous)
    (failure,) = await ran(stage, read, beginning=beginning)
    assert isinstance(failure, StateError)
    assert says in str(failure)
    assert stage.applied == []


@dataclass
class Robbed(Stage):
    """Another owner has moved the stored position; and a call swallows the cancellation."""

    finished: int = 0
    working: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self, busy: bool) -> float:
        """Wait for an answer that arrives together with the cancellation."""
        self.working.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        return 0.0

    async def finish(self, until: float = math.inf) -> None:
        """Find the position moved."""
        self.finished += 1
        raise PositionMovedError(5, 9)


async def test_a_task_that_is_dropped_stores_nothing_even_if_its_cancellation_is_lost() -> None:
    """Its partitions belong to another worker, and nothing goes on in the background."""
    stage, worker = Robbed(contiguous=True), Worker()
    task = task_of(stage, worker)
    task.start()
    async with asyncio.timeout(10):
        await stage.working.wait()
        await task.drop()
    assert (stage.finished, stage.ended, worker.failures) == (0, ["closed"], [])
    assert (worker.suspected, task.has_capacity) == ([], False)


async def test_a_task_that_ends_where_its_position_has_moved_leaves_it_so() -> None:
    """The other owner has read on from there; the process ends as it was asked to."""
    stage, worker = Robbed(contiguous=True), Worker()
    task = task_of(stage, worker)
    await task.finish()
    task.start()
    async with asyncio.timeout(10):
        await task.finish()
    assert (stage.finished, worker.failures) == (1, [])


async def test_a_stage_is_thrown_away_when_its_state_must_be_read_again() -> None:
    """It ends its background work, and the broker has its lists, before another stage is made."""
    stage, worker = Stage(contiguous=True), Worker()
    ended: list[list[str]] = []
    make = worker.open_stage

    async def noted(offsets: Mapping[TP, Offsets], *, lists_suspect: bool) -> Stage:
        ended.append(list(stage.ended))
        return await make(offsets, lists_suspect=lists_suspect)

    worker.open_stage = noted  # type: ignore[method-assign]
    task = task_of(stage, worker)
    task.start()
    task.suspect_loss()
    assert not task.has_capacity
    async with asyncio.timeout(10):
        assert await worker.sought.get() == {HERE: 5}
        await task.finish()
    assert (ended, worker.suspected) == ([["closed", "drained"]], [True])
    assert task.stage is worker.stages[-1] is not stage
    assert worker.stages[-1].ended == []


async def test_a_suspected_loss_is_not_forgotten_when_another_owner_comes_in_between() -> None:
    """The state is read until that succeeds, each time with the suspicion."""
    worker = Worker()
    worker.moved = [PositionMovedError(5, 9), PositionMovedError(5, 7)]
    task = task_of(Stage(contiguous=True), worker)
    task.start()
    task.suspect_loss()
    async with asyncio.timeout(10):
        await worker.sought.get()
        await task.finish()
    assert (worker.suspected, worker.failures) == ([True] * 3, [])


async def test_a_loss_that_is_suspected_while_the_state_is_read_is_looked_into_after_that() -> None:
    """The read state may be older than the loss."""
    worker = Worker()
    make = worker.open_stage

    async def once(offsets: Mapping[TP, Offsets], *, lists_suspect: bool) -> Stage:
        if not worker.suspected:
            task.suspect_loss()
        return await make(offsets, lists_suspect=lists_suspect)

    worker.open_stage = once  # type: ignore[method-assign]
    task = task_of(Stage(contiguous=True), worker)
    task.start()
    task.suspect_loss()
    async with asyncio.timeout(10):
        for _ in range(2):
            await worker.sought.get()
        await task.finish()
    assert (worker.suspected, worker.failures) == ([True, True], [])


async def _nowhere(_: TP) -> int:
    return 0


async def test_a_task_that_has_no_time_left_leaves_its_batches_to_the_next_owner() -> None:
    """They were not applied, so the next owner reads them again."""
    stage, worker = Stage(contiguous=True), Worker()
    task = task_of(stage, worker)
    task.put(RecordBatch(HERE, [Record(5)], task.epoch))
    task.stop(until=0.0)
    task.start()
    await task.finish(until=0.0)
    assert (stage.applied, worker.failures) == ([], [])


async def test_a_task_that_ends_looks_at_the_time_between_batches() -> None:
    """Many may wait, and each takes its time."""

    class Slow(Stage):
        async def apply(self, batches: Sequence[RecordBatch]) -> None:
            await super().apply(batches)
            task.stop(until=0.0)

    worker = Worker()
    stage = Slow(contiguous=True)
    task = task_of(stage, worker)
    for offset in (5, 6, 7):
        task.put(RecordBatch(HERE, [Record(offset)], task.epoch))
    task.stop()
    task.start()
    await asyncio.wait_for(asyncio.wait([task._task or asyncio.Future()]), WITHIN_S)
    assert (stage.applied, worker.failures) == ([5], [])


async def test_tasks_end_one_after_another_where_not_all_may_end_at_the_same_time() -> None:
    """The others wait, and apply what came in before; all are told to take in nothing more."""
    worker, begun, may_end = Worker(), asyncio.Queue[int](), asyncio.Event()

    class Ending(Stage):
        async def finish(self, until: float = math.inf) -> None:
            begun.put_nowait(self.at)
            await may_end.wait()

    endings = asyncio.Semaphore(2)
    stages = [Ending(contiguous=True) for _ in range(5)]
    tasks = [PartitionTask([HERE], stage, worker, count()) for stage in stages]
    for task in tasks:
        task.put(RecordBatch(HERE, [Record(5)], task.epoch))
        task.start(endings)
        task.stop()
    async with asyncio.timeout(WITHIN_S):
        ends = asyncio.gather(*(task.finish() for task in tasks))
        assert [await begun.get() for _ in range(2)] == [6, 6]
        assert [stage.applied for stage in stages].count([]) == 3
        may_end.set()
        await ends
    assert [stage.applied for stage in stages] == [[5]] * 5
    assert worker.failures == []
