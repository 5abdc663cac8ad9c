"""The lanes of a worker: where reading goes on when the state is read anew."""

import asyncio
from collections.abc import Mapping

from streamapp.agents.runtime.assignment import Assignment
from streamapp.agents.runtime.partition_task import PartitionTask
from streamapp.transport.records import TP, Offsets, RecordFingerprint
from tests.unit.agents.test_partition_task import HERE, Stage


class Worker:
    """One partition, whose consumer notes where it is told to read on."""

    def __init__(self) -> None:
        self.sought: asyncio.Queue[Mapping[TP, int]] = asyncio.Queue()
        self.failures: list[BaseException] = []
        self.lanes = Assignment(
            lambda _: Stage(contiguous=True), str, self._offsets, self.sought.put, self._check,
            self.failures.append,
        )  # fmt: skip

    async def begin(self) -> None:
        """Take the partition over."""
        assert await self.lanes.open({HERE: Offsets(0, 5, 5)}) == {HERE: 5}

    @property
    def lane(self) -> PartitionTask:
        """The only lane."""
        return self.lanes._lanes[HERE]

    async def _offsets(self, stored: Mapping[TP, int | None]) -> Mapping[TP, Offsets]:
        return {tp: Offsets(0, 5, 5) for tp in stored}

    async def _check(self, _: Mapping[TP, RecordFingerprint | None]) -> None:
        """Say that all is well."""


async def test_reading_goes_on_where_the_state_is_when_it_was_read_anew() -> None:
    """What was read before is void."""
    worker = Worker()
    await worker.begin()
    epoch = worker.lanes.epoch(HERE)
    worker.lanes.doubt()
    assert await asyncio.wait_for(worker.sought.get(), 5) == {HERE: 5}
    assert worker.lanes.epoch(HERE) == epoch + 1
    await worker.lanes.finish()
    assert not worker.failures


async def test_a_worker_that_ends_reads_the_state_anew_and_nothing_more() -> None:
    """Its consumer gives up partitions meanwhile, and could not be told where to read on."""
    worker = Worker()
    await worker.begin()
    epoch = worker.lanes.epoch(HERE)
    worker.lanes.doubt()
    await worker.lanes.finish()
    assert worker.lanes.epoch(HERE) == epoch + 1
    assert worker.sought.empty()
    assert not worker.failures
