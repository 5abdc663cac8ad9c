"""The partitions of a worker: where reading goes on when the state is read again."""

import asyncio
import time
from collections.abc import Mapping

import pytest

from streamapp.agents.runtime.assignment import Assignment
from streamapp.agents.runtime.partition_task import PartitionTask
from streamapp.transport.records import TP, Offsets, RecordBatch, RecordFingerprint
from tests.unit.agents.test_partition_task import HERE, WITHIN_S, Record, Worker


class Assigned(Worker):
    """One partition; remembers which fingerprints were checked."""

    def __init__(self) -> None:
        super().__init__()
        self.checked: list[dict[TP, int]] = []
        self.assignment = Assignment(self)

    async def begin(self) -> None:
        """Take the partition over."""
        assert await self.assignment.open({HERE: Offsets(0, 5, 5)}) == {HERE: 5}

    async def check_fingerprints(self, applied: Mapping[TP, RecordFingerprint | None]) -> None:
        """Remember the offsets."""
        self.checked.append({tp: one.offset for tp, one in applied.items() if one})

    @property
    def task(self) -> PartitionTask:
        """The only task."""
        return self.assignment._tasks[HERE]

    async def read(self, *offsets: int) -> None:
        """Let the task apply a batch of the current epoch."""
        batch = RecordBatch(HERE, [Record(offset) for offset in offsets], self.task.epoch)
        self.assignment.put(batch)
        deadline = time.monotonic() + WITHIN_S
        while self.task.stage.position(HERE) != offsets[-1] + 1:
            assert time.monotonic() < deadline
            await asyncio.sleep(0)


async def test_reading_goes_on_where_the_state_is_after_it_was_read_again() -> None:
    """Batches that were read before that are void."""
    worker = Assigned()
    await worker.begin()
    epoch = worker.assignment.epoch(HERE)
    worker.assignment.suspect_loss()
    assert await asyncio.wait_for(worker.sought.get(), 5) == {HERE: 5}
    assert worker.assignment.epoch(HERE) == epoch + 1
    worker.assignment.put(RecordBatch(HERE, [Record(5)], epoch))
    assert worker.assignment.stored_position(HERE) == 5
    await worker.assignment.finish()
    assert (worker.stages[-1].applied, worker.failures) == ([], [])


async def test_a_worker_that_ends_reads_the_state_again_and_nothing_more() -> None:
    """Its consumer gives up partitions meanwhile, and cannot seek."""
    worker = Assigned()
    await worker.begin()
    epoch = worker.assignment.epoch(HERE)
    worker.assignment.suspect_loss()
    await worker.assignment.finish()
    assert worker.assignment.epoch(HERE) == epoch + 1
    assert worker.sought.empty()
    assert not worker.failures


async def test_a_batch_of_an_earlier_assignment_is_void() -> None:
    """Even if the partition came back."""
    worker = Assigned()
    await worker.begin()
    old = RecordBatch(HERE, [Record(5)], worker.assignment.epoch(HERE))
    await worker.assignment.drop()
    assert worker.assignment.epoch(HERE) == 0
    assert worker.assignment.stored_position(HERE) is None
    await worker.begin()
    worker.assignment.put(old)
    await worker.assignment.finish()
    assert worker.stages[-1].applied == []


async def test_a_check_compares_the_records_that_were_applied_at_the_check_before() -> None:
    """And the first records that were applied, where there was no check before."""
    worker = Assigned()
    await worker.begin()
    await worker.read(5, 6)
    await worker.read(7)
    worker.checked.clear()
    for _ in range(2):
        await worker.assignment.check()
    await worker.read(8)
    await worker.assignment.check()
    assert worker.checked == [{HERE: 6}, {HERE: 7}, {HERE: 7}]
    await worker.assignment.drop()
    with pytest.raises(KeyError):
        _ = worker.task


def test_partitions_that_are_not_assigned_have_no_capacity() -> None:
    """The consumer reads nothing of them."""
    assert Assigned().assignment.with_capacity([HERE]) == set()
