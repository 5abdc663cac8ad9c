"""A partition task: when it waits, verifies, reads the state again, and ends."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from unittest.mock import AsyncMock

import pytest

from streamapp.agents.runtime.partition_task import PartitionTask
from streamapp.errors import PositionMovedError
from streamapp.store.slot.keys import SlotKeys
from streamapp.store.slot.slot import Slot
from streamapp.transport.records import TP, Offsets, RecordBatch
from tests.unit.agents.test_partition_task import HERE, Record, Worker
from tests.unit.agents.test_partition_task import Stage as Quiet


def batch(*offsets: int) -> RecordBatch:
    """Return a batch of records at these offsets."""
    return RecordBatch(HERE, [Record(offset) for offset in offsets], 0)


@dataclass
class Stage(Quiet):
    """Notes what it is asked, and says how long it needs nothing."""

    contiguous: bool = True
    said: list[str] = field(default_factory=list)
    waits: deque[float] = field(default_factory=deque)
    moved: deque[str] = field(default_factory=deque)
    heard: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def apply(self, batches: Sequence[RecordBatch]) -> None:
        """Apply, unless the state has moved."""
        self.find("apply")
        await super().apply(batches)

    async def work(self, busy: bool) -> float:
        """Wait as planned, and for ever afterwards."""
        self.find("busy" if busy else "work")
        return self.waits.popleft() if self.waits else 3600.0

    async def finish(self, until: float = math.inf) -> None:
        """Store."""
        self.find("finish")

    def find(self, asked: str) -> None:
        """Note what was asked; find the state moved where that is planned."""
        self.said.append(asked)
        self.heard.put_nowait(asked)
        if self.moved and self.moved[0] == asked:
            self.moved.popleft()
            raise PositionMovedError(5, 9)

    async def until(self, asked: str) -> None:
        """Return when it was asked so, since this was last awaited."""
        async with asyncio.timeout(10):
            while await self.heard.get() != asked:
                pass


class Opening(Worker):
    """Opens the stage that there is, which says whether its position has moved."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        self.capacities: list[bool] = []
        self.task: Steps | None = None

    async def open_stage(self, offsets: Mapping[TP, Offsets], *, lists_suspect: bool) -> Stage:
        """Note whether the task has capacity meanwhile, and whether a loss is suspected."""
        assert self.task is not None
        self.capacities.append(self.task.has_capacity)
        self.suspected.append(lists_suspect)
        self.stage.find("open")
        return self.stage


class Steps(PartitionTask):
    """Notes how long it would wait in place of waiting; ends after a number of waits.

    Attributes:
        asked: Its stage.
        worker: Its worker.
        pauses: How long it would have waited.
        now: A clock; each wait takes a second of it.
        waits: Whether it waits all the same.
        left: Waits until it ends.
    """

    def __init__(self, stage: Stage, pauses: int = 3, *, waits: bool = False) -> None:
        self.worker = Opening(stage)
        super().__init__([HERE], stage, self.worker, count(1))
        self.worker.task = self
        self.asked = stage
        self.pauses: list[float] = []
        self.now = 1_000.0
        self.waits = waits
        self.left = pauses

    async def run(self) -> list[str]:
        """Run until the waits are used up; return what the stage was asked."""
        self.start()
        assert self._task is not None
        async with asyncio.timeout(10):
            await self._task
        return self.asked.said

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if self.waits:
            await super()._pause(seconds)
            return
        self.now += 1.0
        self.left -= 1
        self._finishing = self.left <= 0


async def test_a_task_waits_as_long_as_its_stage_says_and_two_seconds_at_most() -> None:
    """At first not at all."""
    steps = Steps(Stage(waits=deque([0.5, 1.9, 2.5, 0.0])), pauses=6)
    assert await steps.run() == ["work"] * 5 + ["finish"]
    assert steps.pauses == [0.0, 0.5, 1.9, 2.0, 0.0, 2.0]


async def test_batches_are_applied_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that wait at a time; the stage then works, and knows whether more have come."""
    stage = Stage()
    steps = Steps(stage)
    some = [batch(5, 6), batch(7)]
    for each in some:
        steps.put(each)
    assert (steps.first_applied, steps.last_applied) == ({}, {})
    applied = stage.apply

    async def apply(batches: Sequence[RecordBatch]) -> None:
        await applied(batches)
        if stage.at == 8:
            steps.put(batch(8))

    monkeypatch.setattr(stage, "apply", apply)
    assert await steps.run() == ["apply", "busy", "apply", "work", "finish"]
    assert stage.applied == [5, 6, 7, 8]
    assert [one.offset for one in steps.first_applied.values()] == [6]
    assert [one.offset for one in steps.last_applied.values()] == [8]


async def test_what_waits_is_applied_before_the_end() -> None:
    """Also where the task was told to end before it began."""
    stage = Stage()
    steps = Steps(stage, pauses=1)
    steps.put(batch(5))
    steps._finishing = True
    assert await steps.run() == ["apply", "finish"]
    steps.put(batch(6))
    assert not steps._inbox


async def test_a_position_that_moved_is_read_anew_at_once() -> None:
    """Without a doubt about lists; the task of another slot does nothing."""
    mine, other = (Slot(AsyncMock(), SlotKeys("s:", tag)) for tag in ("u0", "u1"))
    steps = Steps(Stage(slots=[mine]), pauses=2)
    steps.find_moved(other, PositionMovedError(5, 9))
    assert steps.has_capacity
    steps.find_moved(mine, PositionMovedError(5, 9))
    assert (steps.has_capacity, list(steps.slots)) == (False, [])
    assert await steps.run() == ["open", "work", "finish"]
    assert steps.worker.suspected == [False]


async def test_a_moved_position_of_a_stage_that_is_gone_is_not_read_anew() -> None:
    """The state was read again since."""
    slot = Slot(AsyncMock(), SlotKeys("s:", "u0"))
    steps = Steps(Stage(slots=[slot]))
    steps.stage = Stage(slots=[Slot(AsyncMock(), SlotKeys("s:", "u0"))])
    steps.find_moved(slot, PositionMovedError(5, 9))
    assert steps.has_capacity


async def test_a_task_that_was_dropped_is_not_suspicious() -> None:
    """Its slot belongs to another worker."""
    slot = Slot(AsyncMock(), SlotKeys("s:", "u0"))
    steps = Steps(Stage(slots=[slot]))
    await steps.drop()
    steps.find_moved(slot, PositionMovedError(5, 9))
    assert list(steps.slots) == []
    assert not steps.worker.failures


@pytest.mark.parametrize("noticed", ["apply", "work"])
async def test_a_state_that_moved_is_read_again_after_a_moment(noticed: str) -> None:
    """Whichever call raises, read batches are dropped, and no more are read meanwhile."""
    stage = Stage(moved=deque([noticed]))
    steps = Steps(stage, pauses=6)
    if noticed == "apply":
        steps.put(batch(5))
    said = await steps.run()
    at = said.index(noticed)
    assert said[at : at + 3] == [noticed, "open", "work"]
    assert steps.pauses.count(0.05) == 1
    assert (steps.worker.suspected, steps.worker.capacities, steps.worker.failures) == (
        [False],
        [False],
        [],
    )
    assert stage.applied == []


async def test_batches_that_were_read_before_the_state_was_read_again_are_void() -> None:
    """It will be read again."""
    stage = Stage()
    steps = Steps(stage)
    steps.put(batch(5))
    steps.suspect_loss()
    assert await steps.run() == ["open", "work", "work", "finish"]
    assert stage.applied == []


async def test_a_suspicion_lasts_until_the_state_was_read_again() -> None:
    """An attempt that finds it moved is repeated with the suspicion, and once is enough."""
    stage = Stage(moved=deque(["open", "open"]))
    steps = Steps(stage, pauses=5)
    steps.suspect_loss()
    said = await steps.run()
    assert said == ["open", "open", "open", "work", "work", "finish"]
    assert steps.worker.suspected == [True, True, True]
    assert steps.pauses == [0.0, 0.05, 0.05, 2.0, 2.0]
    stage.moved.append("work")
    steps._finishing, steps.left = False, 3
    await steps.run()
    assert steps.worker.suspected == [True, True, True, False]


async def test_a_suspicion_that_comes_at_the_end_is_looked_into_before_it() -> None:
    """What would be stored may not follow what Redis has."""
    steps = Steps(Stage(), pauses=1)
    steps.suspect_loss()
    assert await steps.run() == ["open", "finish"]


@pytest.mark.parametrize("waiting", [0, 15, 16, 17])
def test_a_task_has_capacity_for_sixteen_batches(waiting: int) -> None:
    """Behind which the consumer waits."""
    steps = Steps(Stage())
    for offset in range(waiting):
        steps.put(batch(5 + offset))
    assert steps.has_capacity == (waiting < 16)
    steps._inbox.take_all()
    assert steps.has_capacity


@pytest.mark.parametrize("waiting", [0, 3, 4, 5])
def test_a_task_has_capacity_for_sixteen_megabytes(waiting: int) -> None:
    """Few records may be large."""
    steps = Steps(Stage())
    for offset in range(waiting):
        steps.put(RecordBatch(HERE, [Record(5 + offset, value=b"x" * 4_000_000)], 0))
    assert steps.has_capacity == (waiting < 4)
    steps._inbox.take_all()
    assert steps.has_capacity


def test_a_task_that_suspects_a_loss_has_no_capacity() -> None:
    """What is read before the state is known would be void."""
    steps = Steps(Stage())
    assert steps.has_capacity
    steps.suspect_loss()
    assert not steps.has_capacity


async def test_a_task_that_ends_takes_nothing_more() -> None:
    """It is left to the next owner."""
    steps = Steps(Stage())
    await steps.finish()
    steps.put(batch(5))
    assert not steps.has_capacity
    assert not steps._inbox


async def test_any_other_error_ends_the_task_and_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is stored after it."""
    stage = Stage()
    error = ValueError("broken")

    async def broken(_: Sequence[RecordBatch]) -> None:
        raise error

    monkeypatch.setattr(stage, "apply", broken)
    steps = Steps(stage)
    steps.put(batch(5))
    assert await steps.run() == []
    assert (steps.worker.failures, steps.last_applied) == ([error], {})


@pytest.mark.parametrize("wake", ["put", "suspect", "moved", "stage", "finish"])
async def test_a_task_is_woken_by_what_comes_in(wake: str) -> None:
    """Long before it would look by itself."""
    slot = Slot(AsyncMock(), SlotKeys("s:", "u0"))
    stage = Stage(slots=[slot], waits=deque([1.9]))
    steps = Steps(stage, waits=True)
    steps.start()
    await stage.until("work")
    began_at = time.monotonic()
    if wake == "put":
        steps.put(batch(5))
        await stage.until("apply")
    elif wake == "suspect":
        steps.suspect_loss()
        await stage.until("open")
    elif wake == "moved":
        steps.find_moved(slot, PositionMovedError(5, 9))
        await stage.until("open")
    elif wake == "stage":
        assert stage.wake is not None
        stage.wake()
        await stage.until("work")
    await steps.finish()
    assert time.monotonic() - began_at < 1.5
    assert (stage.said[-1], steps.worker.failures) == ("finish", [])


async def test_a_task_works_by_itself_where_nothing_wakes_it() -> None:
    """Its stage has something to do soon, and it does not spin until then."""
    stage = Stage(waits=deque([0.05, 0.05]))
    steps = Steps(stage, waits=True)
    began_at = time.monotonic()
    steps.start()
    for _ in range(3):
        await stage.until("work")
    assert time.monotonic() - began_at >= 0.1
    await steps.finish()
    assert steps.worker.failures == []


async def test_a_wake_during_the_work_of_the_stage_is_not_lost() -> None:
    """What has ended in the background meanwhile is looked at next."""
    stage = Stage(waits=deque([1.9]))
    steps = Steps(stage, waits=True)
    work = stage.work

    async def ending(busy: bool) -> float:
        if stage.wake is not None:
            stage.wake()
            stage.wake = None
        return await work(busy)

    stage.work = ending  # type: ignore[method-assign]
    began_at = time.monotonic()
    steps.start()
    for _ in range(2):
        await stage.until("work")
    assert time.monotonic() - began_at < 1.5
    await steps.finish()


@pytest.mark.parametrize(
    ("now", "seconds", "at"),
    [
        (100.2204, 0.5, 100.721),
        (100.2207, 0.4997, 100.721),
        (100.2201, 0.0001, 100.221),
        (100.2204, 2.0, 102.0),
        (101.9, 2.0, 102.0),
        (102.0, 2.0, 104.0),
    ],
)
async def test_tasks_that_may_sleep_equally_long_wake_together(
    monkeypatch: pytest.MonkeyPatch, now: float, seconds: float, at: float
) -> None:
    """Within a millisecond; those without anything to do wake at multiples of two seconds."""
    loop, asked = asyncio.get_running_loop(), list[float]()

    def call_at(when: float, wake: Callable[[], None]) -> asyncio.Handle:
        asked.append(when)
        return loop.call_soon(wake)

    monkeypatch.setattr(loop, "time", lambda: now)
    monkeypatch.setattr(loop, "call_at", call_at)
    await Steps(Stage())._sleep(seconds)
    monkeypatch.undo()
    assert asked == [pytest.approx(at)]


async def test_a_task_that_is_dropped_before_it_began_closes_its_stage() -> None:
    """What it was given is left to the next owner."""
    stage = Stage()
    steps = Steps(stage)
    steps.put(batch(5))
    await steps.drop()
    assert (stage.ended, stage.said, len(steps._inbox)) == (["closed"], [], 0)
    assert not steps.has_capacity
