"""A list sender: what is on its way to the topic, and what ends there when the slot is lost."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from streamapp.agents.runtime.list_sender import ListSender
from streamapp.core.ids.partitioner import partitions_of
from streamapp.store.slot.keys import SlotKeys
from streamapp.store.slot.slot import Slot
from tests.component.harness.stages import Broker as Taking
from tests.component.harness.stages import context


class Broker(Taking):
    """Takes what comes while it is open, at three partitions."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()
        self.batches: list[dict[str, bytes | None]] = []
        self.places: dict[str, int] = {}
        self.seqs: list[tuple[str, bytes]] = []
        self.fails: Exception | None = None

    async def partitions(self, topic: str) -> int:
        """Return how many there are."""
        return {"recommendations": 3}[topic]

    async def deliver(self, messages: Mapping[tuple[str, int], Sequence[Any]]) -> dict[Any, int]:
        """Wait until it is open, then take what comes."""
        await self.open.wait()
        if self.fails:
            raise self.fails
        batch: dict[str, bytes | None] = {}
        for (topic, partition), some in messages.items():
            assert topic == "recommendations"
            for message in some:
                batch[message.key.decode()] = message.value
                self.places[message.key.decode()] = partition
                self.seqs.append((message.key.decode(), dict(message.headers)["seq"]))
        self.batches.append(batch)
        return {}


@pytest.fixture
def broker() -> Broker:
    """A broker."""
    return Broker()


@pytest.fixture
async def slot(redis: Redis) -> Slot:
    """A slot that `me` has claimed."""
    made = Slot(redis, SlotKeys("s:", "i0"), "g")
    await made.ownership.claim("me")
    return made


@pytest.fixture
async def sender(redis: Redis, broker: Broker, slot: Slot) -> ListSender[str]:
    """A sender of lists of items."""
    stage = await context(redis, broker)
    return await ListSender.open(stage, slot, "item", "me", "after_lists")


async def test_lists_go_to_the_partitions_of_their_keys(
    sender: ListSender[str], broker: Broker
) -> None:
    """An empty list as a record without a value; all in one batch."""
    lists = {f"n{number}": b"%d" % number if number else b"" for number in range(20)}
    sender.send(lists, 1, "batch")
    await sender.join()
    assert broker.batches == [
        {f"item:n{number}": b"%d" % number if number else None for number in range(20)}
    ]
    keys = list(broker.places)
    expected = partitions_of([key.encode() for key in keys], 3)
    assert [broker.places[key] for key in keys] == expected
    assert set(expected) == {0, 1, 2}


async def test_nothing_is_sent_where_there_is_nothing(
    sender: ListSender[str], broker: Broker
) -> None:
    """Not even an empty batch."""
    sender.send({}, 1, "batch")
    await sender.join()
    assert broker.batches == []


async def test_what_was_given_with_a_batch_is_returned_once(
    sender: ListSender[str], broker: Broker
) -> None:
    """When the topic has it; until then it is in flight."""
    assert (sender.in_flight, await sender.join()) == (None, None)
    broker.open.clear()
    sender.send({"a": b"1"}, 1, "first")
    await asyncio.sleep(0)
    assert (sender.in_flight, broker.batches) == ("first", [])
    broker.open.set()
    assert await sender.join() == "first"
    assert (sender.in_flight, broker.batches) == (None, [{"item:a": b"1"}])
    assert await sender.join() is None


async def test_what_goes_wrong_is_raised_where_it_is_joined(
    sender: ListSender[str], broker: Broker
) -> None:
    """The batch is in flight as before."""
    broker.fails = ValueError("too large")
    sender.send({"a": b"1"}, 1, "first")
    with pytest.raises(ValueError, match="too large"):
        await sender.join()
    assert sender.in_flight == "first"


async def test_who_stops_waiting_does_not_stop_what_is_on_its_way(
    sender: ListSender[str], broker: Broker
) -> None:
    """The broker may have taken it."""
    broker.open.clear()
    sender.send({"a": b"1"}, 1, "batch")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sender.join(), 0.01)
    assert sender.in_flight
    broker.open.set()
    await sender.join()
    assert broker.batches == [{"item:a": b"1"}]


async def test_a_sender_that_lost_the_slot_sends_what_redis_holds(
    redis: Redis, sender: ListSender[str], slot: Slot, broker: Broker
) -> None:
    """Until the topic ends with what the keys hold, and only what differs."""
    lists = (await context(redis, broker)).lists
    await lists.replace("item", [("a", b'{"seq":2}'), ("c", b'{"seq":2}')], 2)
    broker.open.clear()
    sender.send({"a": b"1", "b": b"1", "c": b'{"seq":2}', "d": b""}, 1, "batch")
    await slot.ownership.claim("another")
    broker.open.set()
    await sender.join()
    assert broker.batches == [
        {"item:a": b"1", "item:b": b"1", "item:c": b'{"seq":2}', "item:d": None},
        {"item:a": b'{"seq":2}', "item:b": None},
    ]


async def test_a_removal_has_the_seq_of_its_tombstone(
    redis: Redis, sender: ListSender[str], slot: Slot, broker: Broker
) -> None:
    """A reader that keeps it takes no older list back."""
    lists = (await context(redis, broker)).lists
    await lists.replace("item", [("a", b"")], 7)
    sender.send({"a": b'{"seq":1}'}, 1, "batch")
    await slot.ownership.claim("another")
    await sender.join()
    assert broker.batches == [{"item:a": b'{"seq":1}'}, {"item:a": None}]
    assert broker.seqs == [("item:a", b"1"), ("item:a", b"7")]


async def test_the_owner_sends_once(redis: Redis, sender: ListSender[str], broker: Broker) -> None:
    """Whatever the keys hold: what it publishes next is sent next."""
    lists = (await context(redis, broker)).lists
    await lists.replace("item", [("a", b'{"seq":2}')], 2)
    sender.send({"a": b"1"}, 1, "batch")
    await sender.join()
    assert broker.batches == [{"item:a": b"1"}]
