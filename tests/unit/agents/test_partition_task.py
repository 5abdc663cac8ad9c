"""A lane looks whether what it is given follows what was applied."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from streamapp.agents.runtime.continuity import OffsetContinuity
from streamapp.agents.runtime.partition_task import PartitionTask
from streamapp.errors import GapError, PositionMovedError, StateError
from streamapp.transport.records import TP, Offsets, RecordBatch, RecordFingerprint

HERE = TP("log", 0)


@dataclass
class Record:
    """A record at an offset."""

    offset: int


@dataclass
class Stage:
    """Notes what is applied, from offset 5 on."""

    contiguous: bool
    at: int = 5
    applied: list[int] = field(default_factory=list)
    closed: int = 0

    async def open(self, offsets: Mapping[TP, Offsets], *, doubt: bool) -> Mapping[TP, int]:
        """Begin."""
        return {HERE: self.at}

    async def apply(self, batches: Sequence[RecordBatch]) -> None:
        """Note the offsets."""
        for batch in batches:
            self.applied += [record.offset for record in batch.records]
            self.at = batch.end

    async def work(self, busy: bool) -> float:
        """Nothing."""
        return 3600.0

    async def verify(self) -> None:
        """Nothing."""

    async def finish(self) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Note it."""
        self.closed += 1

    def position(self, tp: TP) -> int:
        """Return the next offset."""
        return self.at

    def mark(self, tp: TP) -> RecordFingerprint | None:
        """Return nothing."""
        return None

    def fence(self, tp: TP) -> int:
        """Return the next offset."""
        return self.at


async def ran(stage: Stage, *reads: list[int], beginning: int = 0) -> list[BaseException]:
    """Give a lane what is read at first, and whenever it reads anew; return what it failed with."""
    failures: list[BaseException] = []
    left = list(reads)

    def read(lane: PartitionTask) -> None:
        offsets = left.pop(0) if len(left) > 1 else left[0]
        lane._inbox.append(RecordBatch(HERE, [Record(offset) for offset in offsets], 0))

    async def reopen(_: PartitionTask, **__: bool) -> None:
        read(lane)

    async def first(_: TP) -> int:
        return beginning

    lane = PartitionTask(stage, reopen, first, lambda _: None, failures.append)
    read(lane)
    lane.start()
    async with asyncio.timeout(10):
        await lane.finish()
    return failures


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
    """Marks of transactions and compaction leave some in event topics."""
    stage = Stage(contiguous=False)
    assert await ran(stage, read) == []
    assert stage.applied == read


async def test_a_partition_with_gaps_is_not_read_twice_for_each() -> None:
    """What made one gap makes more of them."""
    stage = Stage(contiguous=False)
    assert await ran(stage, [6, 8, 10, 20]) == []
    assert stage.applied == [6, 8, 10, 20]
    succession = OffsetContinuity(stage, beginning=_nowhere)
    stage.at = 21
    batch = RecordBatch(HERE, [Record(30)], 0)
    for _ in range(3):
        with pytest.raises(GapError, match="was read from offset 30 on instead of 21"):
            await succession.check([batch])
    await succession.check([batch])
    stage.at = 31
    await succession.check([RecordBatch(HERE, [Record(40), Record(42)], 0)])


async def test_another_gap_is_looked_at_from_the_first_time_on() -> None:
    """A broker that shows records late does so here and there."""
    stage = Stage(contiguous=False)
    succession = OffsetContinuity(stage, beginning=_nowhere)
    for offset in range(100, 120, 2):
        stage.at = offset
        with pytest.raises(GapError):
            await succession.check([RecordBatch(HERE, [Record(offset + 1)], 0)])


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
    """It ends the lane, with a line that says what was expected and what came."""
    stage = Stage(contiguous)
    (failure,) = await ran(stage, read, beginning=beginning)
    assert isinstance(failure, StateError)
    assert says in str(failure)
    assert stage.applied == []


@dataclass
class Robbed(Stage):
    """Someone else has moved the state; and what it awaits takes a cancellation for itself."""

    ends: int = 0
    working: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self, busy: bool) -> float:
        """Wait for an answer, and take it where it comes together with a cancellation."""
        self.working.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        return 0.0

    async def finish(self) -> None:
        """Find the state elsewhere."""
        self.ends += 1
        raise PositionMovedError(5, 9)


def quiet_lane(stage: Stage, failures: list[BaseException]) -> PartitionTask:
    """Return a lane that never reads anew."""

    async def reopen(_: PartitionTask, **__: bool) -> None:
        raise AssertionError

    return PartitionTask(stage, reopen, _nowhere, lambda _: None, failures.append)


async def test_a_lane_that_is_dropped_stores_nothing_even_where_its_cancellation_is_lost() -> None:
    """Its partitions belong to another worker by then, and nothing goes on beside it."""
    failures: list[BaseException] = []
    stage = Robbed(contiguous=True)
    lane = quiet_lane(stage, failures)
    lane.start()
    async with asyncio.timeout(10):
        await stage.working.wait()
        await lane.drop()
    assert (stage.ends, stage.closed, failures) == (0, 1, [])


async def test_a_lane_that_ends_where_its_state_has_moved_leaves_it_so() -> None:
    """Whoever moved it has read on from there; the process ends as it was asked to."""
    failures: list[BaseException] = []
    stage = Robbed(contiguous=True)
    lane = quiet_lane(stage, failures)
    await lane.finish()
    lane.start()
    async with asyncio.timeout(10):
        await lane.finish()
    assert (stage.ends, failures) == (1, [])


async def _nowhere(_: TP) -> int:
    return 0
