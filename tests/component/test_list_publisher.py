"""Lists on their way from a shard to the topic: what is pending, and what waits for what."""

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from streamapp.agents.runtime.background import BackgroundTask
from streamapp.agents.runtime.throttle import DutyCycle
from streamapp.agents.shard.checkpoint import Pending
from streamapp.agents.shard.list_publisher import ItemListPublisher
from streamapp.agents.shard.stage import ShardStage
from streamapp.core.arrays.bitmap import flagged
from streamapp.core.arrays.dtypes import Ints
from streamapp.core.lists.ranking import Rule
from streamapp.core.shard.shard import Shard
from streamapp.failpoints import Failpoints
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline


class Broker:
    """In place of the publisher: takes messages when it is told to."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.failure: Exception | None = None
        self.taken: list[bytes] = []

    async def partitions(self, _: str) -> int:
        """Return how many there are."""
        return 3

    async def deliver(self, messages: dict[tuple[str, int], list[Any]]) -> None:
        """Wait until it is open, then take what comes, or fail."""
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        self.taken += [message.key for some in messages.values() for message in some]


class Keys:
    """In place of the lists in Redis: takes every list but those of some items."""

    def __init__(self) -> None:
        self.later: set[str] = set()

    async def replace(self, _: str, lists: list[tuple[str, bytes]], __: int) -> list[bytes | None]:
        """Return what stands then."""
        return [None if name in self.later else content for name, content in lists]


class Claims:
    """In place of a slot that nobody else claims."""

    async def claim(self, _: str) -> None:
        """Do nothing."""

    async def claimed_by(self, _: str) -> bool:
        """Say yes."""
        return True


class Desk:
    """A shard with lists of a, b and c, and its publication."""

    def __init__(self, publish_interval: float = 60.0) -> None:
        pipeline = Pipeline(1, 9, Rule(3))
        pipeline.take([Act(user, item, 1.0, 1.0) for user in "uv" for item in "abc"])
        pipeline.drain(0)
        self.shard: Shard = pipeline.rows[0]
        self.broker, self.keys = Broker(), Keys()
        settings = SimpleNamespace(lists_topic="lists", publish_interval=publish_interval)
        outside: Any = SimpleNamespace(
            settings=settings, lists=self.keys, publisher=self.broker, failpoints=Failpoints(),
            pipeline=SimpleNamespace(kind="item"),
        )  # fmt: skip
        slot: Any = Claims()
        self.publication = ItemListPublisher(outside, slot)

    async def publish(self, numbers: Ints) -> None:
        """Publish these rows."""
        ranking = self.shard.rank(numbers)
        everything = np.ones(len(numbers), np.bool_)
        await self.publication.publish(self.shard, numbers, ranking, everything)

    @property
    def rows(self) -> Ints:
        """All rows."""
        return np.arange(3, dtype=np.int32)


async def test_rows_are_on_the_way_until_the_topic_has_their_lists() -> None:
    """They are no longer dirty, and yet a checkpoint must carry them."""
    desk = Desk()
    await desk.publication.open(desk.shard, 0)
    await desk.publish(desk.rows)
    assert not desk.shard.lists.dirty.any()
    assert desk.publication.on_the_way.tolist() == [0, 1, 2]
    assert desk.publication.under_way
    assert not desk.publication.arrived

    desk.broker.open.set()
    await desk.publication.settle()
    assert not desk.publication.under_way
    assert not desk.publication.on_the_way.size
    assert sorted(desk.broker.taken) == [b"item:a", b"item:b", b"item:c"]


async def test_a_row_whose_list_is_older_than_the_key_stays_dirty() -> None:
    """It is not on the way either: the shard is catching up with another owner."""
    desk = Desk()
    desk.keys.later = {"b"}
    desk.broker.open.set()
    await desk.publication.open(desk.shard, 0)
    await desk.publish(desk.rows)
    assert np.flatnonzero(desk.shard.lists.dirty).tolist() == [1]
    assert desk.publication.on_the_way.tolist() == [0, 2]
    await desk.publication.settle()


async def test_the_next_lists_wait_for_those_on_the_way() -> None:
    """So the records of a key are on the topic in the order of its changes."""
    desk = Desk()
    await desk.publication.open(desk.shard, 0)
    await desk.publish(desk.rows[:1])
    following = asyncio.create_task(desk.publish(desk.rows[1:]))
    await asyncio.sleep(0)
    assert not following.done()
    assert desk.publication.on_the_way.tolist() == [0]

    desk.broker.open.set()
    await following
    await desk.publication.settle()
    assert desk.broker.taken[0] == b"item:a"


async def test_what_goes_wrong_on_the_way_is_raised_to_whoever_asks_next() -> None:
    """The lane ends with it, as if it had waited."""
    desk = Desk()
    await desk.publication.open(desk.shard, 0)
    await desk.publish(desk.rows)
    desk.broker.failure = OSError("away")
    desk.broker.open.set()
    with pytest.raises(OSError, match="away"):
        await desk.publication.settle()
    assert desk.publication.arrived
    with pytest.raises(OSError, match="away"):
        await desk.publish(desk.rows)


async def test_a_list_changes_at_most_once_in_the_interval_and_a_new_one_at_once() -> None:
    """A new owner does not know when the one before published what is there already."""
    desk = Desk(publish_interval=60.0)
    desk.broker.open.set()
    publication, shard = desk.publication, desk.shard
    await publication.open(shard, 0)
    new = np.array([3], np.int32)
    assert (publication.due_in_s(desk.rows) > 0).all()
    assert (publication.due_in_s(new) < 0).all()

    shard.registry.number(["d"])
    shard._reserve()
    await desk.publish(new)
    assert (publication.due_in_s(new) > 0).all()
    await publication.settle()


async def test_a_checkpoint_carries_what_is_on_the_way() -> None:
    """Whoever takes over after a crash sends it again; when the topic has it, nobody does."""
    desk = Desk()
    written: list[list[int]] = []

    class Store:
        def take(self, _: Shard, pending: Pending, __: dict[str, bytes]) -> None:
            written.append(flagged(pending.dirty).tolist())

    stage: Any = ShardStage.__new__(ShardStage)
    stage._shard, stage._publication, stage._checkpoint = desk.shard, desk.publication, Store()
    stage._refresh = SimpleNamespace(pending=np.zeros(len(desk.shard.owned), np.bool_), turned=0)
    stage._settings = SimpleNamespace(row_cache_bytes=1 << 20)
    stage._storing, stage._aside = DutyCycle(0.0, 0), BackgroundTask()
    stage._republish_at, stage._replayed, stage._mark = None, 0, None

    await desk.publication.open(desk.shard, 0)
    await desk.publish(desk.rows[:2])
    await stage._store_all()
    desk.broker.open.set()
    await desk.publication.settle()
    await stage._store_all()
    assert written == [[0, 1, 2], [2]]


async def test_a_sweep_and_new_lists_take_turns_where_both_always_have_something_to_send() -> None:
    """Only one group of lists is on its way at a time, and neither waits for the other to end."""
    desk = Desk(publish_interval=0.0)
    desk.broker.open.set()
    await desk.publication.open(desk.shard, 0)
    turns: list[str] = []

    async def sweep() -> float:
        turns.append("sweep")
        await desk.publish(desk.rows[:1])
        return 0.0

    async def publish(numbers: Ints) -> None:
        turns.append("lists")
        await desk.publish(numbers)

    stage: Any = ShardStage.__new__(ShardStage)
    stage._shard, stage._publication = desk.shard, desk.publication
    stage._publish, stage._refresh = publish, SimpleNamespace(step=sweep)
    stage._publishing, stage._sweeps_first = DutyCycle(0.0, 0), False
    for _ in range(6):
        desk.shard.lists.dirty[:] = True
        await stage._bring(busy=False)
        await desk.publication.settle()
    assert turns == ["sweep", "lists"] * 3
