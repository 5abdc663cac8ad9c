"""The partitions of a worker: which task has them, what it is given, and what is checked."""

import asyncio
import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from streamapp.agents.runtime import assignment
from streamapp.agents.runtime.assignment import Assignment
from streamapp.errors import StateError
from streamapp.transport.records import TP, Offsets, RecordBatch, RecordFingerprint
from tests.unit.agents.test_partition_task import Stage, Worker

CLICKS, PURCHASES, OTHERS = TP("clicks", 0), TP("purchases", 0), TP("clicks", 1)
ALL = [CLICKS, PURCHASES, OTHERS]
KNOWN = {tp: Offsets(2, 9, 5) for tp in ALL}


def record(offset: int) -> Any:
    """Return a record as Kafka hands it over."""
    return SimpleNamespace(offset=offset, key=b"k", value=b"v%d" % offset, timestamp=7)


def fingerprint(offset: int) -> RecordFingerprint:
    """Return the fingerprint of that record."""
    return RecordFingerprint.of(record(offset))


class Stored(Stage):
    """Has stored a record of the first partitions, and remembers how often it stored more."""

    def __init__(self, offsets: Mapping[TP, Offsets], *, lists_suspect: bool) -> None:
        super().__init__(contiguous=False)
        self.opened = dict(offsets), lists_suspect
        self.finished = 0

    async def finish(self, until: float = math.inf) -> None:
        """Remember it."""
        self.finished += 1

    def stored_position(self, tp: TP) -> int:
        """Return the offset before the next one."""
        return self.at - 1

    def fingerprint(self, tp: TP) -> RecordFingerprint | None:
        """Return that of the record before."""
        return fingerprint(4) if tp.partition == 0 else None


class Sharing(Worker):
    """Three partitions; those with the same number share a task.

    Attributes:
        made: All stages.
        asked: What Kafka was asked, with what is stored.
        checked: The fingerprints that were checked.
        refuses: The error of the next check, if any.
    """

    def __init__(self) -> None:
        super().__init__()
        self.made: list[Stored] = []
        self.asked: list[Mapping[TP, int | None]] = []
        self.checked: list[Mapping[TP, RecordFingerprint | None]] = []
        self.refuses: Exception | None = None
        self.assignment = Assignment(self)

    def task_of(self, tp: TP) -> str:
        """Return the number."""
        return str(tp.partition)

    async def open_stage(self, offsets: Mapping[TP, Offsets], *, lists_suspect: bool) -> Stored:
        """Make a stage."""
        self.made.append(Stored(offsets, lists_suspect=lists_suspect))
        return self.made[-1]

    async def read_offsets(self, stored: Mapping[TP, int | None]) -> Mapping[TP, Offsets]:
        """Remember what is stored."""
        self.asked.append(stored)
        return {tp: KNOWN[tp] for tp in stored}

    async def check_fingerprints(self, applied: Mapping[TP, RecordFingerprint | None]) -> None:
        """Remember them, and refuse as planned."""
        self.checked.append(dict(applied))
        if self.refuses:
            raise self.refuses

    def put(self, tp: TP, *offsets: int, later: int = 0) -> None:
        """Give a batch that was read in this epoch, or in a later or earlier one."""
        epoch = self.assignment.epoch(tp) + later
        self.assignment.put(RecordBatch(tp, [record(offset) for offset in offsets], epoch))

    async def apply(self, tp: TP, *offsets: int) -> None:
        """Give a batch, and return when the first task has applied it."""
        self.put(tp, *offsets)
        async with asyncio.timeout(10):
            while self.made[0].at <= offsets[-1]:  # noqa: ASYNC110 - it is applied by a task
                await asyncio.sleep(0)
            await asyncio.sleep(0)


@pytest.fixture
async def worker() -> Sharing:
    """A worker that has all three."""
    made = Sharing()
    assert await made.assignment.open(KNOWN) == dict.fromkeys(ALL, 5)
    return made


async def test_partitions_of_a_name_share_a_task(worker: Sharing) -> None:
    """It gets all of them, without any suspicion; their last records are checked."""
    first, second = worker.made
    assert first.opened == ({tp: KNOWN[tp] for tp in (CLICKS, PURCHASES)}, False)
    assert second.opened == ({OTHERS: KNOWN[OTHERS]}, False)
    assert worker.checked == [{CLICKS: fingerprint(4), PURCHASES: fingerprint(4), OTHERS: None}]
    assert [worker.assignment.stored_position(tp) for tp in ALL] == [4, 4, 4]
    await worker.assignment.finish()
    assert [stage.finished for stage in worker.made] == [1, 1]


async def test_a_task_that_does_not_end_in_time_is_left_to_the_next_owner(
    worker: Sharing, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it waits for is given up, and a line says so; the other task has ended."""
    slow, quick = worker.made
    given_up: list[str] = []

    async def store(_: float = math.inf) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.append("slow")

    monkeypatch.setattr(slow, "finish", store)
    monkeypatch.setattr(assignment, "_FINISH_S", 0.05)
    monkeypatch.setattr(assignment, "_STORE_S", 0.05)
    async with asyncio.timeout(10):
        await worker.assignment.finish()
    assert (given_up, slow.ended) == (["slow"], ["closed"])
    assert (quick.finished, quick.ended, worker.failures) == (1, [], [])
    assert "1 of 2 tasks did not end in time" in caplog.text


async def test_a_worker_without_partitions_stops_at_once() -> None:
    """It has not been given any yet."""
    await Sharing().assignment.finish()


async def test_a_partition_that_is_not_owned_takes_nothing(worker: Sharing) -> None:
    """It was just taken away, perhaps."""
    other = TP("clicks", 7)
    worker.put(other, 5)
    assert worker.assignment.stored_position(other) is None
    assert worker.assignment.epoch(other) == 0
    assert worker.assignment.with_capacity([*ALL, other]) == set(ALL)
    await worker.assignment.drop()
    assert [worker.assignment.stored_position(tp) for tp in ALL] == [None] * 3
    assert worker.assignment.with_capacity(ALL) == set()
    assert [stage.ended for stage in worker.made] == [["closed"], ["closed"]]


async def test_only_a_batch_of_this_epoch_is_applied(worker: Sharing) -> None:
    """A batch of another one is void; epochs are never 0, and never come back."""
    epochs = {worker.assignment.epoch(tp) for tp in ALL}
    assert len(epochs) == 2
    assert min(epochs) > 0
    worker.put(CLICKS, 5, 6)
    worker.put(CLICKS, 5, 6, later=-1)
    worker.put(CLICKS, 5, 6, later=1)
    await worker.assignment.finish()
    assert (worker.made[0].applied, worker.failures) == ([5, 6], [])
    await worker.assignment.open(KNOWN)
    assert not epochs & {worker.assignment.epoch(tp) for tp in ALL}
    await worker.assignment.drop()


async def test_partitions_that_are_assigned_are_all_there_are(worker: Sharing) -> None:
    """The previous tasks end at once and store nothing."""
    before = list(worker.made)
    assert await worker.assignment.open({CLICKS: KNOWN[CLICKS]}) == {CLICKS: 5}
    assert [(stage.ended, stage.finished) for stage in before] == [(["closed"], 0)] * 2
    assert worker.assignment.with_capacity(ALL) == {CLICKS}
    await worker.assignment.finish()
    assert [stage.finished for stage in worker.made] == [0, 0, 1]


async def test_a_task_without_capacity_has_none_for_any_partition(worker: Sharing) -> None:
    """It has sixteen batches for each of its two; the other task has capacity."""
    for offset in range(5, 5 + 2 * 16):
        assert worker.assignment.with_capacity(ALL) == set(ALL)
        worker.put(CLICKS, offset)
    assert worker.assignment.with_capacity(ALL) == {OTHERS}
    await worker.assignment.finish()


async def test_partitions_that_cannot_be_opened_end_the_worker(worker: Sharing) -> None:
    """The caller gets the error, too; none of the partitions is owned."""
    worker.refuses = ValueError("opened again")
    with pytest.raises(ValueError, match="opened again"):
        await worker.assignment.open(KNOWN)
    assert worker.failures == [worker.refuses]
    assert worker.assignment.with_capacity(ALL) == set()


async def test_a_check_is_of_what_was_applied_at_the_check_before(worker: Sharing) -> None:
    """At first of the first batch."""
    worker.checked.clear()
    await worker.assignment.check()
    await worker.apply(CLICKS, 5, 6)
    await worker.apply(CLICKS, 7)
    await worker.apply(PURCHASES, 8)
    await worker.assignment.check()
    await worker.apply(CLICKS, 9)
    await worker.assignment.check()
    await worker.assignment.check()
    assert worker.checked == [
        {},
        {CLICKS: fingerprint(6), PURCHASES: fingerprint(8)},
        {CLICKS: fingerprint(7), PURCHASES: fingerprint(8)},
        {CLICKS: fingerprint(9), PURCHASES: fingerprint(8)},
    ]
    await worker.assignment.finish()


async def test_a_new_assignment_forgets_what_was_compared(worker: Sharing) -> None:
    """Another worker may have had the partition meanwhile."""
    await worker.apply(CLICKS, 5)
    await worker.assignment.check()
    await worker.assignment.open(KNOWN)
    worker.checked.clear()
    await worker.assignment.check()
    assert worker.checked == [{}]
    await worker.assignment.drop()


async def test_a_state_that_is_read_again_is_that_of_one_task(worker: Sharing) -> None:
    """Kafka is asked with what is stored, fingerprints are checked, reading goes on there."""
    worker.checked.clear()
    epochs = [worker.assignment.epoch(tp) for tp in ALL]
    worker.assignment._tasks[CLICKS].suspect_loss()
    sought = await asyncio.wait_for(worker.sought.get(), 10)
    assert sought == {CLICKS: 5, PURCHASES: 5}
    assert worker.asked == [{CLICKS: 4, PURCHASES: 4}]
    assert worker.checked == [{CLICKS: fingerprint(4), PURCHASES: fingerprint(4)}]
    assert worker.made[2].opened == ({tp: KNOWN[tp] for tp in (CLICKS, PURCHASES)}, True)
    changed = [worker.assignment.epoch(tp) != old for tp, old in zip(ALL, epochs, strict=True)]
    assert changed == [True, True, False]
    await worker.assignment.finish()


async def test_every_task_reads_again_where_redis_may_have_lost_writes(worker: Sharing) -> None:
    """Each once."""
    worker.assignment.suspect_loss()
    for _ in range(2):
        await asyncio.wait_for(worker.sought.get(), 10)
    assert [stage.opened[1] for stage in worker.made] == [False, False, True, True]
    await worker.assignment.finish()


async def test_kafka_is_asked_where_a_partition_begins_when_records_are_missing(
    worker: Sharing,
) -> None:
    """They may have been dropped before they were read."""
    worker.put(CLICKS, 7)
    await asyncio.wait_for(worker.sought.get(), 10)
    assert worker.asked[0] == {CLICKS: None}
    assert worker.failures == []
    await worker.assignment.drop()


async def test_many_partitions_are_opened_at_the_same_time_and_not_all_at_once() -> None:
    """Each stage waits for Redis several times; all of them at once would need its connections."""
    opening: list[int] = []
    most = 0

    class Waiting(Sharing):
        async def open_stage(self, offsets: Mapping[TP, Offsets], *, lists_suspect: bool) -> Stored:
            nonlocal most
            ((tp, _),) = offsets.items()
            opening.append(tp.partition)
            most = max(most, len(opening))
            for _ in range(5):
                await asyncio.sleep(0)
            opening.remove(tp.partition)
            return await super().open_stage(offsets, lists_suspect=lists_suspect)

    made = Waiting()
    every = {TP("clicks", number): Offsets(0, 5, 5) for number in range(1, 100)}
    assert await made.assignment.open(every) == dict.fromkeys(every, 5)
    assert (most, len(made.made)) == (8, 99)
    await made.assignment.finish()


async def test_no_stage_is_opening_any_more_when_one_is_refused() -> None:
    """The worker ends then, and nothing runs behind its back."""
    opened: list[int] = []

    class Refusing(Sharing):
        async def open_stage(self, offsets: Mapping[TP, Offsets], *, lists_suspect: bool) -> Stored:
            ((tp, _),) = offsets.items()
            await asyncio.sleep(0.01 * (tp.partition > 1))
            if tp.partition == 1:
                raise StateError("no")
            opened.append(tp.partition)
            return await super().open_stage(offsets, lists_suspect=lists_suspect)

    made = Refusing()
    every = {TP("clicks", number): Offsets(0, 5, 5) for number in range(1, 100)}
    with pytest.raises(StateError, match="no"):
        await made.assignment.open(every)
    assert opened == list(range(2, 9))
    assert [str(one) for one in made.failures] == ["no"]
