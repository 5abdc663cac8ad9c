"""All positions of a worker are compared together, and each task hears of its own slots alone."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from streamapp.agents.runtime.assignment import Assignment
from streamapp.errors import PositionMovedError, StateError
from streamapp.store.redis import scripts
from streamapp.store.slot import slot as slot_module
from streamapp.store.slot.head import Head
from streamapp.store.slot.keys import SlotKeys
from streamapp.store.slot.slot import Slot
from streamapp.transport.records import TP, Offsets
from tests.unit.agents.test_partition_task import Stage, Worker

TPS = [TP("log", number) for number in range(5)]
FIRST = 10
WITHIN_S = 20.0


class Owned(Worker):
    """Partitions with two slots each.

    Attributes:
        slots: The slots of the last stage of each partition.
        opened: The partitions whose stage was made, in order.
    """

    def __init__(self, redis: Redis) -> None:
        super().__init__()
        self.redis = redis
        self.slots: dict[TP, list[Slot]] = {}
        self.opened: list[TP] = []

    async def open_stage(self, offsets: Mapping[TP, Offsets], *, lists_suspect: bool) -> Stage:
        """Read the heads of the slots."""
        (tp,) = offsets
        self.opened.append(tp)
        self.suspected.append(lists_suspect)
        slots = [Slot(self.redis, SlotKeys("s:", f"{tp.partition}{end}"), "g") for end in "ab"]
        for slot in slots:
            await slot.create(FIRST)
            await slot.head(Head)
        self.slots[tp] = slots
        return Stage(contiguous=True, slots=slots)


@pytest.fixture
async def worker(redis: Redis) -> Owned:
    """A worker of all partitions, whose tasks run."""
    made = Owned(redis)
    made.assignment = Assignment(made)  # type: ignore[attr-defined]
    await made.assignment.open({tp: Offsets(0, 5, 5) for tp in TPS})  # type: ignore[attr-defined]
    made.opened.clear()
    return made


async def compared(worker: Any, redis: Redis) -> Sequence[TP]:
    """Compare all positions; return the partitions whose state was read again."""
    await worker.assignment.verify(redis)
    for _ in range(2):
        await asyncio.sleep(0.02)
    await worker.assignment.finish()
    assert worker.failures == []
    return list(worker.opened)


async def test_all_positions_take_a_command_each_and_one_round_trip(
    worker: Any, redis: Redis
) -> None:
    """No script runs, and nobody is disturbed."""
    before: dict[str, Any] = await redis.info("commandstats")
    assert await compared(worker, redis) == []
    after: dict[str, Any] = await redis.info("commandstats")
    hmget = [stats.get("cmdstat_hmget", {}).get("calls", 0) for stats in (before, after)]
    assert hmget[1] - hmget[0] == 2 * len(TPS)
    assert before.get("cmdstat_evalsha") == after.get("cmdstat_evalsha")


@pytest.mark.parametrize("tag", ["2a", "2b"])
@pytest.mark.parametrize("stored", [FIRST - 1, FIRST + 1, None])
async def test_the_task_of_a_slot_that_moved_reads_its_state_again(
    worker: Any, redis: Redis, tag: str, stored: int | None
) -> None:
    """No other does; that Redis lost lists is not suspected."""
    key = SlotKeys("s:", tag).head
    if stored is None:
        await redis.delete(key)
    else:
        await redis.hset(key, "position", stored)
    assert await compared(worker, redis) == [TPS[2]]
    assert worker.suspected[-1] is False


async def test_a_move_of_its_own_disturbs_no_task(
    worker: Any, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it begins, goes on or ends during the comparison."""
    begins, goes_on, ends, both = (worker.slots[tp][0] for tp in TPS[:4])
    pause, go_on = asyncio.Event(), asyncio.Event()

    async def slow(*arguments: Any) -> Any:
        """Hold the replies of moves back; what they did is done."""
        reply = await scripts.run(*arguments)
        pause.set()
        await go_on.wait()
        return reply

    async def move(slot: Slot) -> None:
        await slot.commit(FIRST, Head(FIRST + 1))

    monkeypatch.setattr(slot_module, "run", slow)
    going_on, ending = asyncio.create_task(move(goes_on)), asyncio.create_task(move(ends))
    await pause.wait()
    go_on_all = [going_on, ending]
    execute = type(redis.pipeline()).execute

    async def executed(pipe: Any, *arguments: Any, **options: Any) -> Any:
        """Let moves begin before the positions are read, and end before they are compared."""
        go_on_all.append(asyncio.create_task(move(begins)))
        whole = asyncio.create_task(move(both))
        await asyncio.sleep(0.02)
        replies = await execute(pipe, *arguments, **options)
        go_on.set()
        await whole
        await ending
        return replies

    monkeypatch.setattr(type(redis.pipeline()), "execute", executed)
    assert await compared(worker, redis) == []
    await asyncio.gather(*go_on_all)
    assert {slot.position for slot in (begins, goes_on, ends, both)} == {FIRST + 1}
    monkeypatch.undo()
    worker.opened.clear()
    await worker.assignment.verify(redis)
    assert worker.opened == []


async def test_a_position_that_moves_away_during_the_comparison_is_found(
    worker: Any, redis: Redis
) -> None:
    """By the move itself, which compares as well."""
    slot = worker.slots[TPS[0]][0]
    await redis.hset(slot.keys.head, "position", FIRST + 5)
    with pytest.raises(PositionMovedError):
        await slot.commit(FIRST, Head(FIRST + 1))
    assert await compared(worker, redis) == []


async def test_a_stage_that_was_made_again_meanwhile_is_left_alone(
    worker: Any, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The read records belong to the previous stage."""
    await redis.hset(SlotKeys("s:", "1a").head, "position", FIRST - 1)
    execute = type(redis.pipeline()).execute

    async def executed(pipe: Any, *arguments: Any, **options: Any) -> Any:
        replies = await execute(pipe, *arguments, **options)
        monkeypatch.undo()
        worker.assignment.suspect_loss()
        async with asyncio.timeout(WITHIN_S):
            for _ in TPS:
                await worker.sought.get()
        return replies

    monkeypatch.setattr(type(redis.pipeline()), "execute", executed)
    assert sorted(await compared(worker, redis)) == TPS


async def test_a_worker_without_partitions_reads_nothing(redis: Redis) -> None:
    """It may be the third of two partitions."""
    before: dict[str, Any] = await redis.info("commandstats")
    await Assignment(Owned(redis)).verify(redis)
    after: dict[str, Any] = await redis.info("commandstats")
    assert after.get("cmdstat_hmget") == before.get("cmdstat_hmget")


async def test_a_head_that_another_program_wrote_ends_the_worker_in_one_line(
    worker: Any, redis: Redis
) -> None:
    """The line names the key."""
    key = SlotKeys("s:", "3b").head
    await redis.delete(key)
    await redis.set(key, "text")
    with pytest.raises(StateError, match="3b"):
        await worker.assignment.verify(redis)
    await worker.assignment.drop()
