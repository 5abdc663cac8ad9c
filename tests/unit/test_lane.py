"""A lane looks whether what it is given follows what was applied."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from faust.types import TP

from streamapp.agents.lane import Lane
from streamapp.errors import StateError
from streamapp.transport.records import Mark, Offsets, RecordBatch

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

    def position(self, tp: TP) -> int:
        """Return the next offset."""
        return self.at

    def mark(self, tp: TP) -> Mark | None:
        """Return nothing."""
        return None

    def fence(self, tp: TP) -> int:
        """Return the next offset."""
        return self.at


async def ran(stage: Stage, offsets: list[int], beginning: int = 0) -> list[BaseException]:
    """Give a lane one batch; return what it failed with."""
    failures: list[BaseException] = []

    async def reopen(lane: Lane, *, doubt: bool) -> None: ...

    async def first(_: TP) -> int:
        return beginning

    lane = Lane(stage, reopen, first, lambda _: None, failures.append)
    lane.put(RecordBatch(HERE, [Record(offset) for offset in offsets], 0))
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


async def test_a_gap_of_trackers_is_read_over() -> None:
    """Marks of transactions and compaction leave some in event topics."""
    stage = Stage(contiguous=False)
    assert await ran(stage, [8]) == []
    assert stage.applied == [8]


@pytest.mark.parametrize(
    ("contiguous", "offset", "beginning", "says"),
    [
        (True, 8, 0, "was read from offset 8 on instead of 5"),
        (True, 4, 0, "went back from offset 5 to 4"),
        (False, 4, 0, "went back from offset 5 to 4"),
        (False, 8, 7, "no longer holds the records from offset 5 to 8"),
    ],
)
async def test_what_does_not_follow_is_not_applied(
    contiguous: bool, offset: int, beginning: int, says: str
) -> None:
    """It ends the lane, with a line that says what was expected and what came."""
    stage = Stage(contiguous)
    (failure,) = await ran(stage, [offset], beginning)
    assert isinstance(failure, StateError)
    assert says in str(failure)
    assert stage.applied == []
