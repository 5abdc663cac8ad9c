"""Lists in flight from a shard to the topic: what is pending, and what waits for what."""

import asyncio
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from streamapp.agents.delivery.own_messages import OwnMessages
from streamapp.agents.runtime.list_sender import ListSender
from streamapp.agents.scheduling.duty_cycle import DutyCycle
from streamapp.agents.scheduling.maintenance_budget import MaintenanceBudget
from streamapp.agents.scheduling.shared_pauses import SharedPauses
from streamapp.agents.shard import publish_scheduler
from streamapp.agents.shard.checkpoint_scheduler import CheckpointScheduler
from streamapp.agents.shard.item_list_publisher import ItemListPublisher
from streamapp.agents.shard.pending_lists import PendingLists
from streamapp.agents.shard.publish_scheduler import PublishScheduler
from streamapp.core.arrays.array_types import Ints
from streamapp.core.arrays.flag_codec import unpack_flags
from streamapp.core.lists.ranking import ListRule
from streamapp.core.shard.shard import Shard
from streamapp.failpoints import Failpoints
from streamapp.store.slot.head import ShardHead
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline


class Broker:
    """In place of the producer: takes messages while it is open."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.failure: Exception | None = None
        self.taken: list[bytes] = []

    async def partitions(self, _: str) -> int:
        """Return how many there are."""
        return 3

    async def deliver(self, messages: dict[tuple[str, int], list[Any]]) -> None:
        """Wait until it is open, then take messages, or fail."""
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        self.taken += [message.key for some in messages.values() for message in some]


class Keys:
    """In place of the lists in Redis: takes every list but those of some items."""

    def __init__(self) -> None:
        self.later: set[str] = set()

    def served(self, content: bytes) -> bytes:
        """Return a list as readers see it."""
        return content

    async def replace(self, _: str, lists: list[tuple[str, bytes]], __: int) -> list[bytes | None]:
        """Return what Redis holds then."""
        return [None if name in self.later else content for name, content in lists]


class Claims:
    """In place of a slot that no other owner claims."""

    async def claim(self, _: str) -> None:
        """Do nothing."""

    async def is_owner(self, _: str) -> bool:
        """Return true."""
        return True

    async def hget(self, _: str, __: str) -> None:
        """Return that no field is stored."""


class Harness:
    """A shard with lists of a, b and c, and its publisher."""

    publisher: ItemListPublisher
    sender: ListSender[Ints]

    def __init__(self, publish_interval: float = 60.0) -> None:
        pipeline = Pipeline(1, 9, ListRule(3))
        pipeline.take([Act(user, item, 1.0, 1.0) for user in "uv" for item in "abc"])
        pipeline.drain(0)
        self.shard: Shard = pipeline.rows[0]
        self.broker, self.keys = Broker(), Keys()
        settings = SimpleNamespace(lists_topic="lists", publish_interval=publish_interval)
        self.context: Any = SimpleNamespace(
            settings=settings, lists=self.keys, producer=self.broker,
            list_delivery=self.broker, failpoints=Failpoints(),
            pipeline=SimpleNamespace(kind="item"),
        )  # fmt: skip

    async def open(self) -> "Harness":
        """Claim the shard."""
        slot: Any = SimpleNamespace(
            ownership=Claims(), redis=Claims(), keys=SimpleNamespace(head="{i0}:head")
        )
        items = len(self.shard.registry)
        self.publisher = await ItemListPublisher.open(self.context, slot, 0, items)
        self.sender = self.publisher.sender
        return self

    async def publish(self, numbers: Ints) -> None:
        """Publish these rows."""
        ranking = self.shard.rank(numbers)
        everything = np.ones(len(numbers), np.bool_)
        await self.publisher.publish(self.shard, numbers, ranking, everything)

    @property
    def rows(self) -> Ints:
        """All rows."""
        return np.arange(3, dtype=np.int32)


def in_flight(harness: Harness) -> list[int]:
    """Return the rows whose lists are in flight."""
    assert harness.sender.in_flight is not None
    rows: list[int] = harness.sender.in_flight.tolist()
    return rows


async def test_rows_are_in_flight_until_the_topic_has_their_lists() -> None:
    """They are no longer dirty, and yet a checkpoint must keep them."""
    harness = await Harness().open()
    await harness.publish(harness.rows)
    assert not harness.shard.lists.dirty.any()
    assert in_flight(harness) == [0, 1, 2]
    assert harness.sender.is_running
    assert not harness.sender.is_done

    harness.broker.open.set()
    await harness.sender.join()
    assert not harness.sender.is_running
    assert harness.sender.in_flight is None
    assert sorted(harness.broker.taken) == [b"item:a", b"item:b", b"item:c"]


async def test_a_row_whose_list_is_older_than_the_key_stays_dirty() -> None:
    """It is not in flight either: the shard is catching up with another owner."""
    harness = await Harness().open()
    harness.keys.later = {"b"}
    harness.broker.open.set()
    await harness.publish(harness.rows)
    assert np.flatnonzero(harness.shard.lists.dirty).tolist() == [1]
    assert in_flight(harness) == [0, 2]
    await harness.sender.join()


async def test_the_next_lists_wait_for_those_on_the_way() -> None:
    """So the records of a key are on the topic in the order of its changes."""
    harness = await Harness().open()
    await harness.publish(harness.rows[:1])
    following = asyncio.create_task(harness.publish(harness.rows[1:]))
    await asyncio.sleep(0)
    assert not following.done()
    assert in_flight(harness) == [0]

    harness.broker.open.set()
    await following
    await harness.sender.join()
    assert harness.broker.taken[0] == b"item:a"


async def test_what_goes_wrong_on_the_way_is_raised_to_whoever_asks_next() -> None:
    """The partition task ends with it, as if it had waited."""
    harness = await Harness().open()
    await harness.publish(harness.rows)
    harness.broker.failure = OSError("away")
    harness.broker.open.set()
    with pytest.raises(OSError, match="away"):
        await harness.sender.join()
    assert harness.sender.is_done
    with pytest.raises(OSError, match="away"):
        await harness.publish(harness.rows)


async def test_a_list_changes_at_most_once_in_the_interval_and_a_new_one_at_once() -> None:
    """A new owner does not know when the previous owner published the stored lists."""
    harness = await Harness(publish_interval=60.0).open()
    harness.broker.open.set()
    publisher, shard = harness.publisher, harness.shard
    new = np.array([3], np.int32)
    assert (publisher.due_in_s(harness.rows) > 0).all()
    assert (publisher.due_in_s(new) < 0).all()

    shard.registry.number(["d"])
    shard._reserve()
    await harness.publish(new)
    assert (publisher.due_in_s(new) > 0).all()
    await harness.sender.join()


async def test_a_checkpoint_carries_the_lists_in_flight() -> None:
    """The next owner sends them again after a crash; once the topic has them, no owner does."""
    harness = await Harness().open()
    written: list[list[int]] = []

    class Store:
        def take(self, _: Shard, pending: PendingLists, __: ShardHead) -> None:
            written.append(unpack_flags(pending.dirty).tolist())

    settings = SimpleNamespace(row_cache_bytes=1 << 20, checkpoint_interval=0.0)
    context: Any = SimpleNamespace(
        settings=settings,
        heads=None,
        own_messages=OwnMessages(),
        checkpoint_pauses=SharedPauses(),
    )
    sweep = SimpleNamespace(
        pending=np.zeros(len(harness.shard.owned), np.bool_), listed_update_offset=0
    )
    log = SimpleNamespace(replayed=0, fingerprint=None)
    collaborators: Any = Store(), log, harness.publisher, sweep, SimpleNamespace(at=None)
    scheduler = CheckpointScheduler(context, harness.shard, *collaborators)

    await harness.publish(harness.rows[:2])
    await scheduler.store_all()
    harness.broker.open.set()
    await harness.sender.join()
    await scheduler.store_all()
    assert written == [[0, 1, 2], [2]]


async def test_a_sweep_and_new_lists_take_turns_where_both_always_have_something_to_send(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only one batch of lists is in flight at a time, and neither waits for the other to end."""
    harness = await Harness(publish_interval=0.0).open()
    harness.broker.open.set()
    turns: list[str] = []

    async def step() -> float:
        turns.append("sweep")
        await harness.publish(harness.rows[:1])
        return 0.0

    async def publish(numbers: Ints) -> None:
        turns.append("lists")
        await harness.publish(numbers)

    async def load(_: Ints) -> None:
        raise AssertionError

    sweep: Any = SimpleNamespace(step=step)
    scheduler = PublishScheduler(harness.shard, harness.publisher, sweep, load, MaintenanceBudget())
    monkeypatch.setattr(scheduler, "_publish", publish)
    monkeypatch.setattr(scheduler, "_cycle", DutyCycle(0.0, 0))
    for _ in range(6):
        harness.shard.lists.dirty[:] = True
        await scheduler.step(busy=False)
        await harness.sender.join()
    assert turns == ["sweep", "lists"] * 3


async def test_a_worker_that_stops_publishes_what_there_is_time_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The other rows stay pending, and the last checkpoint says so."""
    harness = await Harness(publish_interval=60.0).open()
    harness.broker.open.set()
    harness.shard.lists.dirty[:] = True

    async def load(_: Ints) -> None: ...

    sweep: Any = SimpleNamespace()
    scheduler = PublishScheduler(harness.shard, harness.publisher, sweep, load, MaintenanceBudget())
    monkeypatch.setattr(publish_scheduler, "_AT_ONCE", 2)
    # There is time for one publication: the second look at the clock is too late.
    looks = iter([0.0, 2.0])
    clock = SimpleNamespace(monotonic=partial(next, looks))
    monkeypatch.setattr(publish_scheduler, "time", clock)
    await scheduler.publish_all(until=1.0)
    assert harness.shard.lists.dirty_numbers().tolist() == [2]
