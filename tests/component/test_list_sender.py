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
from tests.component.harness.stages import outside


class Broker(Taking):
    """Takes what comes while it is open, at three partitions."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()
        self.batches: list[dict[str, bytes | None]] = []
        self.places: dict[str, int] = {}
        self.fails: Exception | None = None

    async def partitions(self, topic: str) -> int:
        """Return how many there are."""
        return {"recommendations": 3}[topic]

    async def deliver(self, messages: Mapping[tuple[str, int], Sequence[Any]]) -> None:
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
        self.batches.append(batch)


@pytest.fixture
def broker() -> Broker:
    """A broker."""
    return Broker()


@pytest.fixture
async def slot(redis: Redis) -> Slot:
    """A slot."""
    return Slot(redis, SlotKeys("s:", "i0"), "g")


@pytest.fixture
async def sender(redis: Redis, broker: Broker, slot: Slot) -> ListSender:
    """A sender of lists of items, which has claimed the slot."""
    made = ListSender(await outside(redis, broker), slot, "item", "after_lists")
    await made.open()
    return made


async def test_a_sender_claims_the_slot_unless_it_is_told_who_did(
    redis: Redis, broker: Broker, slot: Slot
) -> None:
    """Under a name that nobody else has."""
    context = await outside(redis, broker)
    first, second = (ListSender(context, slot, "item", "after_lists") for _ in range(2))
    assert first.owner == ""
    await first.open()
    assert len(first.owner) == 16
    assert await slot.claimed_by(first.owner)
    await second.open()
    assert first.owner != second.owner
    assert await slot.claimed_by(second.owner)
    await first.open("somebody")
    assert first.owner == "somebody"
    assert await slot.claimed_by(second.owner)


async def test_lists_go_to_the_partitions_of_their_keys(sender: ListSender, broker: Broker) -> None:
    """An empty list as a record without a value; all in one batch."""
    lists = {f"n{number}": b"%d" % number if number else b"" for number in range(20)}
    sender.send(lists)
    await sender.settle()
    assert broker.batches == [
        {f"item:n{number}": b"%d" % number if number else None for number in range(20)}
    ]
    keys = list(broker.places)
    expected = partitions_of([key.encode() for key in keys], 3)
    assert [broker.places[key] for key in keys] == expected
    assert set(expected) == {0, 1, 2}


async def test_nothing_is_sent_where_there_is_nothing(sender: ListSender, broker: Broker) -> None:
    """Not even an empty batch."""
    sender.send({})
    await sender.settle()
    assert broker.batches == []


async def test_it_says_whether_lists_are_under_way_or_have_arrived(
    sender: ListSender, broker: Broker
) -> None:
    """Until somebody settles; neither where nothing was sent."""
    assert (sender.under_way, sender.arrived) == (False, False)
    await sender.settle()
    broker.open.clear()
    sender.send({"a": b"1"})
    await asyncio.sleep(0)
    assert (sender.under_way, sender.arrived) == (True, False)
    broker.open.set()
    async with asyncio.timeout(10):
        while sender.under_way:  # noqa: ASYNC110 - that it says so is what is looked at
            await asyncio.sleep(0.001)
    assert (sender.under_way, sender.arrived) == (False, True)
    await sender.settle()
    assert (sender.under_way, sender.arrived) == (False, False)


async def test_what_goes_wrong_is_raised_where_it_is_settled(
    sender: ListSender, broker: Broker
) -> None:
    """Also by the next opening."""
    broker.fails = ValueError("too large")
    sender.send({"a": b"1"})
    with pytest.raises(ValueError, match="too large"):
        await sender.open()


async def test_who_stops_waiting_does_not_stop_what_is_on_its_way(
    sender: ListSender, broker: Broker
) -> None:
    """The broker may have taken it."""
    broker.open.clear()
    sender.send({"a": b"1"})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sender.settle(), 0.01)
    assert sender.under_way
    broker.open.set()
    await sender.settle()
    assert broker.batches == [{"item:a": b"1"}]


async def test_who_lost_the_slot_sends_what_stands_by_then(
    redis: Redis, sender: ListSender, slot: Slot, broker: Broker
) -> None:
    """Until the topic ends with what the keys hold, and only what differs."""
    lists = (await outside(redis, broker)).lists
    await lists.replace("item", [("a", b'{"seq":2}'), ("c", b'{"seq":2}')], 2)
    broker.open.clear()
    sender.send({"a": b"1", "b": b"1", "c": b'{"seq":2}', "d": b""})
    await slot.claim("another")
    broker.open.set()
    await sender.settle()
    assert broker.batches == [
        {"item:a": b"1", "item:b": b"1", "item:c": b'{"seq":2}', "item:d": None},
        {"item:a": b'{"seq":2}', "item:b": None},
    ]


async def test_the_owner_sends_once(redis: Redis, sender: ListSender, broker: Broker) -> None:
    """Whatever the keys hold: what it publishes next is sent next."""
    lists = (await outside(redis, broker)).lists
    await lists.replace("item", [("a", b'{"seq":2}')], 2)
    sender.send({"a": b"1"})
    await sender.settle()
    assert broker.batches == [{"item:a": b"1"}]
