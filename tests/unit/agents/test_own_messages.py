"""A worker knows which of its messages its own tasks have still to apply."""

import asyncio
from types import SimpleNamespace

import pytest

from streamapp.agents.delivery import own_messages as module
from streamapp.agents.delivery.own_messages import OwnMessages
from streamapp.transport.records import TP

HERE, THERE = TP("interactions", 0), TP("interactions", 1)


def owner() -> tuple[OwnMessages, list[int]]:
    """Return the messages of a worker that owns a partition, and what it was told."""
    messages, told = OwnMessages(), [0]

    def count() -> None:
        told[0] += 1

    messages.on_applied = count
    messages.own({HERE: 5})
    return messages, told


def test_a_worker_waits_for_messages_until_its_task_has_applied_them() -> None:
    """And hears of it once."""
    messages, told = owner()
    assert messages.wait_s == 0
    messages.sent({HERE: 8})
    assert messages.wait_s > 0
    messages.applied(HERE, 7)
    assert messages.wait_s > 0
    assert told == [0]
    messages.applied(HERE, 8)
    assert messages.wait_s == 0
    assert told == [1]


def test_messages_for_partitions_of_others_are_not_waited_for() -> None:
    """Another worker applies them, and tells nobody."""
    messages, _ = owner()
    messages.sent({THERE: 3})
    assert messages.wait_s == 0


def test_a_message_may_be_applied_before_its_sender_hears_of_the_broker() -> None:
    """Then there is nothing to wait for."""
    messages, _ = owner()
    messages.applied(HERE, 8)
    messages.sent({HERE: 8})
    assert messages.wait_s == 0


def test_a_partition_that_is_given_up_is_not_waited_for() -> None:
    """Its next owner applies the messages."""
    messages, told = owner()
    messages.sent({HERE: 8})
    messages.release([HERE])
    assert messages.wait_s == 0
    assert told == [1]
    messages.sent({HERE: 9})
    assert messages.wait_s == 0


def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task may be stuck, and the others go on."""
    messages, _ = owner()
    now = [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    messages.sent({HERE: 8})
    assert messages.wait_s == 2.0
    now[0] += 1.5
    assert messages.wait_s == 0.5
    now[0] += 1.5
    assert messages.wait_s == 0


def test_what_follows_from_messages_is_waited_for_while_it_is_sent() -> None:
    """The end of the one is not the end of all."""
    messages, told = owner()
    messages.sent({HERE: 8})
    with messages.being_sent():
        messages.applied(HERE, 8)
        assert messages.wait_s > 0
        assert told == [0]
    assert messages.wait_s == 0
    assert told == [1]


async def test_a_topic_is_settled_when_its_last_message_is_applied() -> None:
    """Messages of other topics are not waited for."""
    messages, _ = owner()
    delta = TP("deltas", 0)
    messages.own({THERE: 0, delta: 0})
    messages.sent({HERE: 8, THERE: 2, delta: 1})
    waits = asyncio.create_task(messages.settled("interactions", 30))
    for tp, end in ((HERE, 8), (delta, 1)):
        messages.applied(tp, end)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waits.done()
    messages.applied(THERE, 2)
    await asyncio.wait_for(waits, 5)
    await asyncio.wait_for(messages.settled("interactions", 30), 5)


async def test_a_topic_that_does_not_settle_is_waited_for_so_long() -> None:
    """Half of a second is half of a second."""
    messages, _ = owner()
    messages.sent({HERE: 8})
    began = asyncio.get_running_loop().time()
    await messages.settled("interactions", 0.05)
    assert asyncio.get_running_loop().time() >= began + 0.05
    assert messages.wait_s > 0
