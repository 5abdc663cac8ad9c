"""The history stage forgets users: their history, their list, and a receipt on the topic."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from streamapp.agents.histories.stage import HistoryStage
from streamapp.core.events.interaction_sink import NO_ITEM
from streamapp.core.ids.id_translator import IdTranslator
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.delta import decode_deltas
from streamapp.transport.records import TP, Offsets, RecordBatch
from streamapp.worker.warm import warm
from tests.component.harness.stages import Broker, context, events, record

TS = 1.7e9
WITHIN_S = 20.0
LISTS = "recommendations", 0
CLICKS = (0, "u", "a", "click", TS), (1, "u", "b", "click", TS + 1)
FORGET = (2, "u", NO_ITEM, "forget", -float("inf"))


@pytest.fixture(scope="module", autouse=True)
def _kernels() -> None:
    """Load the kernels first."""
    warm()


class Partition:
    """One partition of histories, with what its broker took; owners of it come and go."""

    stage: HistoryStage
    tp: TP

    def __init__(self, redis: Redis, **chosen: Any) -> None:
        self.redis = redis
        self.broker = Broker()
        self.chosen = chosen
        self.offset = 0

    async def open(self) -> None:
        """Let another owner open the partition."""
        around = await context(self.redis, self.broker, **self.chosen)
        self.tp = TP(around.settings.interactions_topic, 0)
        known = {self.tp: Offsets(0, 99, None)}
        self.stage = await HistoryStage.open(around, known, lists_suspect=False)
        self.offset = self.stage.position(self.tp)

    async def take(self, *cuts: bytes) -> None:
        """Apply cuts, together."""
        records = [record(self.offset + place, value) for place, value in enumerate(cuts)]
        await self.stage.apply([RecordBatch(self.tp, records, 0)])
        self.offset += len(cuts)

    async def until(self, condition: Callable[[], Awaitable[Any]]) -> None:
        """Let the owner work until a condition holds."""
        deadline = time.monotonic() + WITHIN_S
        while not await condition():
            assert time.monotonic() < deadline
            await self.stage.work(busy=False)
            await asyncio.sleep(0.002)

    async def settled(self) -> bool:
        """Return whether no list and no receipt is due."""
        return int(await self.redis.hget("s:{u0}:head", "due_users") or 0) == 0

    @property
    def told(self) -> list[tuple[str, bool]]:
        """What the topic says of users: the key, and whether there is a list."""
        return [
            (one.key.decode(), one.value is not None) for one in self.broker.taken.get(LISTS, [])
        ]

    async def kept(self) -> set[str]:
        """Return the keys that name a user, but for tombstones of lists."""
        keys: list[Any] = await self.redis.keys("*")
        found = {
            one for key in keys if (one := key.decode()).endswith(":u") and ":gone:" not in one
        }
        if b"u" in await self.redis.hkeys("s:{u0}:audience"):
            found.add("audience")
        return found


async def trends(redis: Redis) -> None:
    """Let an item be popular, so that every user has a list."""
    items = [{"id": "t", "score": 1.0}]
    value = {"v": 1, "kind": "trending", "id": "", "seq": 1, "as_of": TS, "items": items}
    await redis.set("l:trending", orjson.dumps(value))


async def test_a_forgotten_user_leaves_no_list_and_the_topic_has_a_receipt(redis: Redis) -> None:
    """Of the history a tombstone is left for a day; shards get back what it added."""
    await trends(redis)
    partition = Partition(redis)
    await partition.open()
    await partition.take(events(2, *CLICKS))
    await partition.until(partition.settled)
    assert partition.told == [("user:u", True)]
    assert await partition.kept() == {"s:{u0}:b:u", "l:user:u", "audience"}

    await partition.take(events(3, FORGET))
    await partition.until(partition.settled)
    assert partition.told[1:] == [("user:u", False)]
    assert await partition.kept() == {"s:{u0}:b:u"}
    assert await redis.strlen("s:{u0}:b:u") == 8
    assert await redis.ttl("s:{u0}:b:u") > 0
    assert await redis.hget("s:{u0}:head", "blobs") == b"0"
    registry, translator = Registry(), IdTranslator()
    changes = [
        delta.blocks(registry, translator)
        for one in partition.broker.taken["streamapp-deltas", 0]
        for delta in decode_deltas(one.key, one.value)
    ]
    assert [one.before.tolist() for one in changes] == [[0, 0], [1, 1]]
    assert [one.after.tolist() for one in changes] == [[1, 1], [0, 0]]
    await partition.stage.close()


@pytest.mark.parametrize("chosen", [{}, {"user_list_ttl": 0.0}])
async def test_a_user_whom_nobody_knows_gets_a_receipt_too(
    redis: Redis, chosen: dict[str, float]
) -> None:
    """Also where users have no lists."""
    partition = Partition(redis, **chosen)
    await partition.open()
    await partition.take(events(3, FORGET))
    await partition.until(partition.settled)
    assert partition.told == [("user:u", False)]
    assert not await redis.hkeys("s:{u0}:audience")
    await partition.stage.close()


async def test_who_comes_back_at_once_has_a_receipt_and_then_a_new_list(redis: Redis) -> None:
    """The new history has nothing of the old one."""
    await trends(redis)
    partition = Partition(redis)
    await partition.open()
    await partition.take(events(2, *CLICKS))
    await partition.until(partition.settled)
    await partition.take(events(4, FORGET, (3, "u", "c", "click", TS + 2)))
    await partition.until(partition.settled)
    assert partition.told[1:] == [("user:u", False), ("user:u", True)]
    assert int(await redis.hget("s:{u0}:audience", "u")) > time.time()  # type: ignore[arg-type]
    assert await partition.kept() == {"s:{u0}:b:u", "l:user:u", "audience"}
    await partition.stage.close()


@pytest.mark.parametrize("back", [False, True])
async def test_the_next_owner_sends_the_receipt_of_one_that_died(redis: Redis, back: bool) -> None:
    """Whether the user came back or not."""
    await trends(redis)
    partition = Partition(redis)
    await partition.open()
    await partition.take(events(2, *CLICKS))
    await partition.until(partition.settled)
    more = [(3, "u", "c", "click", TS + 2)] if back else []
    await partition.take(events(4, FORGET, *more))
    await partition.stage.close()
    assert partition.told == [("user:u", True)]

    await partition.open()
    await partition.until(partition.settled)
    assert partition.told[1:] == [("user:u", False), *([("user:u", True)] if back else [])]
    assert ("audience" in await partition.kept()) == back
    assert ("l:user:u" in await partition.kept()) == back
    await partition.stage.close()


async def test_who_is_forgotten_while_a_list_is_made_keeps_none(redis: Redis) -> None:
    """The list of the old history may go out first; the receipt follows."""
    await trends(redis)
    partition = Partition(redis)
    await partition.open()
    await partition.take(events(2, *CLICKS))
    await partition.stage.work(busy=False)
    await partition.take(events(3, FORGET))
    await partition.until(partition.settled)
    await partition.stage.finish()
    assert partition.told[-1] == ("user:u", False)
    assert await partition.kept() == {"s:{u0}:b:u"}
    await partition.stage.close()


async def test_a_worker_that_ends_sends_its_receipts(redis: Redis) -> None:
    """Like lists that are due."""
    partition = Partition(redis)
    await partition.open()
    await partition.take(events(3, *CLICKS, FORGET))
    await partition.stage.finish()
    assert partition.told == [("user:u", False)]
    assert await partition.settled()
    await partition.stage.close()


async def test_hidden_items_are_in_no_list_of_the_user(redis: Redis) -> None:
    """Not even among those that fill it; they return when they are shown again."""
    await trends(redis)
    partition = Partition(redis)
    await partition.open()
    await partition.take(events(3, *CLICKS, (2, "u", "t", "hide", TS)))
    await partition.until(partition.settled)
    assert partition.told == []
    await partition.take(events(4, (3, "u", "t", "unhide", TS)))
    await partition.until(partition.settled)
    assert partition.told == [("user:u", True)]
    await partition.take(events(5, (4, "u", "t", "hide", TS)))
    await partition.until(partition.settled)
    assert partition.told[1:] == [("user:u", False)]
    await partition.stage.close()
