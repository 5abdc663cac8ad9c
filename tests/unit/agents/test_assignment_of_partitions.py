"""The partitions of a worker: which task has them, what it is given, and what is looked at."""

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from streamapp.agents.runtime.assignment import Assignment
from streamapp.transport.records import TP, Offsets, RecordBatch, RecordFingerprint
from tests.unit.agents.test_partition_task import Stage

EVENTS = [TP("clicks", 0), TP("purchases", 0), TP("clicks", 1)]
KNOWN = {tp: Offsets(2, 9, 5) for tp in EVENTS}


def record(offset: int) -> Any:
    """Return a record as Kafka hands it over."""
    return SimpleNamespace(offset=offset, key=b"k", value=b"v%d" % offset, timestamp=7)


def mark(offset: int) -> RecordFingerprint:
    """Return the fingerprint of that record."""
    return RecordFingerprint.of(record(offset))


class Marked(Stage):
    """Has stored a record, and notes what it was told of its partitions."""

    def __init__(self, name: str) -> None:
        super().__init__(contiguous=False)
        self.name = name
        self.told: list[tuple[Mapping[TP, Offsets], bool]] = []
        self.ends = 0

    async def open(self, offsets: Mapping[TP, Offsets], *, doubt: bool) -> Mapping[TP, int]:
        """Begin."""
        self.told.append((offsets, doubt))
        return dict.fromkeys(offsets, self.at)

    async def finish(self) -> None:
        """Note it."""
        self.ends += 1

    def mark(self, tp: TP) -> RecordFingerprint | None:
        """Return what it has stored of the first partitions."""
        return mark(4) if tp.partition == 0 else None

    def fence(self, tp: TP) -> int:
        """Return the next offset that is not stored."""
        return self.at - 1


class Worker:
    """Three partitions, of which those with the same number share a task.

    Attributes:
        stages: All that were made.
        asked: What Kafka was asked, with what is stored.
        sought: Where the consumer was told to go on.
        checked: What was looked at.
        failures: What ended a task.
    """

    def __init__(self) -> None:
        self.stages: list[Marked] = []
        self.asked: list[Mapping[TP, int | None]] = []
        self.sought: asyncio.Queue[Mapping[TP, int]] = asyncio.Queue()
        self.checked: list[Mapping[TP, RecordFingerprint | None]] = []
        self.failures: list[BaseException] = []
        self.refuses: Exception | None = None
        self.assignment = Assignment(
            self._made, lambda tp: str(tp.partition), self._offsets, self.sought.put, self._check,
            self.failures.append,
        )  # fmt: skip

    def _made(self, name: str) -> Marked:
        self.stages.append(Marked(name))
        return self.stages[-1]

    async def _offsets(self, stored: Mapping[TP, int | None]) -> Mapping[TP, Offsets]:
        self.asked.append(stored)
        return {tp: Offsets(2, 9, 5) for tp in stored}

    async def _check(self, marks: Mapping[TP, RecordFingerprint | None]) -> None:
        self.checked.append(dict(marks))
        if self.refuses:
            raise self.refuses

    def put(self, tp: TP, *offsets: int, epoch: int = 1) -> None:
        """Give a batch as one that was read in an opening."""
        self.assignment.put(RecordBatch(tp, [record(offset) for offset in offsets], epoch))


@pytest.fixture
async def worker() -> Worker:
    """A worker that has all three."""
    made = Worker()
    assert await made.assignment.open(KNOWN) == dict.fromkeys(EVENTS, 5)
    return made


async def test_partitions_of_a_group_share_a_task(worker: Worker) -> None:
    """It is told all of them, in no doubt; their last records are looked at."""
    clicks, purchases, others = EVENTS
    first, second = worker.stages
    assert (first.name, second.name) == ("0", "1")
    assert first.told == [({tp: KNOWN[tp] for tp in (clicks, purchases)}, False)]
    assert second.told == [({others: KNOWN[others]}, False)]
    assert worker.checked == [{clicks: mark(4), purchases: mark(4), others: None}]
    assert [worker.assignment.fence(tp) for tp in EVENTS] == [4, 4, 4]
    await worker.assignment.finish()
    assert [stage.ends for stage in worker.stages] == [1, 1]


async def test_a_partition_that_is_not_owned_has_no_fence_and_takes_nothing(worker: Worker) -> None:
    """It was just taken away, perhaps."""
    other = TP("clicks", 7)
    worker.put(other, 5)
    assert worker.assignment.fence(other) is None
    assert worker.assignment.epoch(other) == 0
    assert worker.assignment.hungry([*EVENTS, other]) == set(EVENTS)
    await worker.assignment.drop()
    assert worker.assignment.fence(EVENTS[0]) is None
    assert worker.assignment.hungry(EVENTS) == set()
    assert [stage.closed for stage in worker.stages] == [1, 1]


async def test_a_batch_of_an_earlier_opening_is_void(worker: Worker) -> None:
    """Also of a later one; only those of this one are applied."""
    (tp, *_), (stage, _) = EVENTS, worker.stages
    assert worker.assignment.epoch(tp) == 1
    worker.put(tp, 5, 6)
    worker.put(tp, 5, 6, epoch=0)
    worker.put(tp, 5, 6, epoch=2)
    await worker.assignment.finish()
    assert (stage.applied, worker.failures) == ([5, 6], [])
    await worker.assignment.open(KNOWN)
    assert [worker.assignment.epoch(tp) for tp in EVENTS] == [2, 2, 2]
    assert len(worker.stages) == 4


async def test_partitions_that_are_assigned_are_all_there_are(worker: Worker) -> None:
    """Those of before are closed at once, and not stored."""
    (first, *_), stages = EVENTS, list(worker.stages)
    assert await worker.assignment.open({first: KNOWN[first]}) == {first: 5}
    assert [(stage.closed, stage.ends) for stage in stages] == [(1, 0), (1, 0)]
    assert worker.assignment.hungry(EVENTS) == {first}
    await worker.assignment.finish()
    assert [stage.ends for stage in worker.stages] == [0, 0, 1]


async def test_a_full_task_is_not_hungry(worker: Worker) -> None:
    """None of its partitions is."""
    clicks, purchases, others = EVENTS
    for offset in range(5, 21):
        worker.put(clicks, offset)
    assert worker.assignment.hungry([clicks, purchases, others]) == {others}
    await worker.assignment.finish()


async def test_what_cannot_be_opened_fails_the_worker(worker: Worker) -> None:
    """And whoever asked for it; none of its partitions is owned."""
    worker.refuses = ValueError("made anew")
    with pytest.raises(ValueError, match="made anew"):
        await worker.assignment.open(KNOWN)
    assert worker.failures == [worker.refuses]
    assert worker.assignment.hungry(EVENTS) == set()


async def test_what_was_applied_is_looked_at_the_next_time_but_one(worker: Worker) -> None:
    """At first the first batch, then what was the latest at the last look."""
    clicks, purchases, _ = EVENTS
    worker.checked.clear()
    await worker.assignment.check()
    worker.put(clicks, 5, 6)
    await applied(worker, 7)
    worker.put(clicks, 7)
    await applied(worker, 8)
    worker.put(purchases, 8)
    await applied(worker, 9)
    await worker.assignment.check()
    worker.put(clicks, 9)
    await applied(worker, 10)
    await worker.assignment.check()
    await worker.assignment.check()
    assert worker.checked[:2] == [{}, {clicks: mark(6), purchases: mark(8)}]
    assert worker.checked[2] == {clicks: mark(7), purchases: mark(8)}
    assert worker.checked[3] == {clicks: mark(9), purchases: mark(8)}
    await worker.assignment.finish()


async def test_a_new_opening_forgets_what_was_noted(worker: Worker) -> None:
    """Another worker may have had the partition meanwhile."""
    worker.put(EVENTS[0], 5)
    await applied(worker, 6)
    await worker.assignment.open(KNOWN)
    worker.checked.clear()
    await worker.assignment.check()
    await worker.assignment.check()
    assert worker.checked == [{}, {}]
    await worker.assignment.drop()


async def applied(worker: Worker, at: int) -> None:
    """Return when the first task has come so far."""
    async with asyncio.timeout(10):
        while worker.stages[0].at < at:  # noqa: ASYNC110 - its stage is asked by many
            await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_a_state_that_is_read_anew_is_that_of_one_task(worker: Worker) -> None:
    """Kafka is asked with what is stored, the marks are looked at, reading goes on there."""
    clicks, purchases, others = EVENTS
    worker.checked.clear()
    (task,) = {worker.assignment._lanes[tp] for tp in (clicks, purchases)}
    task.doubt()
    assert await asyncio.wait_for(worker.sought.get(), 10) == {clicks: 5, purchases: 5}
    assert worker.asked == [{clicks: 4, purchases: 4}]
    assert worker.checked == [{clicks: mark(4), purchases: mark(4)}]
    assert worker.stages[0].told[1:] == [
        (dict.fromkeys((clicks, purchases), Offsets(2, 9, 5)), True)
    ]
    assert [worker.assignment.epoch(tp) for tp in EVENTS] == [2, 2, 1]
    assert len(worker.stages[1].told) == 1
    await worker.assignment.finish()
    assert others in worker.assignment._lanes


async def test_every_task_reads_anew_where_redis_is_in_doubt(worker: Worker) -> None:
    """Each once."""
    worker.assignment.doubt()
    sought = [await asyncio.wait_for(worker.sought.get(), 10) for _ in range(2)]
    assert {**sought[0], **sought[1]} == dict.fromkeys(EVENTS, 5)
    assert [stage.told[-1][1] for stage in worker.stages] == [True, True]
    await worker.assignment.finish()


async def test_a_record_that_is_gone_from_the_topic_ends_the_worker(worker: Worker) -> None:
    """Kafka is asked where the partition begins when a batch does not follow."""
    worker.put(EVENTS[0], 7)
    await asyncio.wait_for(gone(worker), 10)
    assert worker.asked[0] == {EVENTS[0]: None}
    assert worker.failures == []
    await worker.assignment.drop()


async def gone(worker: Worker) -> None:
    """Return when the partition is read again."""
    assert await worker.sought.get() == dict.fromkeys(EVENTS[:2], 5)
