"""A worker that starts on another Redis than the last owner knew publishes all lists again."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from redis.asyncio import Redis

from streamapp.store.slot.head import Head, HistoriesHead, ShardHead
from streamapp.store.slot.keys import SlotKeys, histories_tag, rows_tag
from streamapp.store.slot.slot import Slot
from streamapp.transport.records import TP, Offsets
from streamapp.worker.stage_factory import StageFactory
from tests.component.harness.stages import STATE_ID, Broker, context

ROWS, HISTORIES = TP("streamapp-deltas", 0), TP("streamapp-interactions", 0)
KINDS: dict[TP, tuple[str, type[Head]]] = {
    ROWS: (rows_tag(0), ShardHead),
    HISTORIES: (histories_tag(0), HistoriesHead),
}


class Openings:
    """In place of the stages: whether each was opened with doubt."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.suspected: list[bool] = []
        self.dies = False

    async def open(self, offsets: Mapping[TP, Offsets], *, lists_suspect: bool) -> Any:
        """Open a slot."""
        self.suspected.append(lists_suspect)
        if self.dies:
            raise RuntimeError("the worker is dead")
        (tp,) = offsets
        slot = Slot(self.redis, SlotKeys("s:", KINDS[tp][0]), STATE_ID)
        await slot.create(0)
        return SimpleNamespace(slots=[slot])


async def opened(redis: Redis, openings: Openings, tp: TP, identity: str) -> bool:
    """Let another worker open a partition; return whether it doubts the lists."""
    factory = StageFactory(await context(redis, Broker()))
    factory._openers = dict.fromkeys(factory._openers, openings.open)
    factory.redis_identity = identity
    await factory.open({tp: Offsets(0, 0, None)}, lists_suspect=False)
    return openings.suspected[-1]


@pytest.mark.parametrize("tp", KINDS, ids=lambda tp: tp.topic)
async def test_lists_that_were_lost_while_no_worker_ran_are_published_again(
    redis: Redis, tp: TP
) -> None:
    """Once: the slot knows the new Redis then."""
    openings = Openings(redis)
    assert not await opened(redis, openings, tp, "one")
    assert not await opened(redis, openings, tp, "one")
    assert await opened(redis, openings, tp, "two")
    assert not await opened(redis, openings, tp, "two")


async def test_a_worker_that_dies_while_it_opens_leaves_the_doubt(redis: Redis) -> None:
    """The next owner has it too."""
    openings = Openings(redis)
    await opened(redis, openings, ROWS, "one")
    openings.dies = True
    with pytest.raises(RuntimeError):
        await opened(redis, openings, ROWS, "two")
    openings.dies = False
    assert await opened(redis, openings, ROWS, "two")


async def test_a_state_of_an_older_version_is_not_doubted(redis: Redis) -> None:
    """Nobody knows which Redis its owner knew."""
    openings = Openings(redis)
    await opened(redis, openings, ROWS, "one")
    await redis.hdel(SlotKeys("s:", rows_tag(0)).head, "redis")
    assert not await opened(redis, openings, ROWS, "two")
    assert await opened(redis, openings, ROWS, "three")


async def test_a_slot_of_another_state_is_not_written(redis: Redis) -> None:
    """A rebuild may remove the slot at that moment."""
    slot = Slot(redis, SlotKeys("s:", rows_tag(0)), STATE_ID)
    await slot.ownership.note_redis(STATE_ID, "one")
    assert not await redis.exists(slot.keys.head)
