"""Messages of several callers go out together, each caller hears of its own."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from streamapp.agents.delivery.joint_delivery import JointDelivery
from streamapp.errors import ConfigError
from streamapp.transport.producer import Outgoing

HERE, THERE = ("deltas", 0), ("deltas", 1)


class Broker:
    """Takes messages when a test lets it.

    Attributes:
        sent: What came at a time.
        go_on: Set when the broker answers.
        error: Raised instead, if any.
    """

    def __init__(self) -> None:
        self.sent: list[dict[tuple[str, int], list[bytes | None]]] = []
        self.go_on = asyncio.Event()
        self.error: Exception | None = None

    async def deliver(self, messages: Mapping[tuple[str, int], Sequence[Outgoing]]) -> None:
        """Take messages, and answer later."""
        self.sent.append({target: [one.value for one in some] for target, some in messages.items()})
        await self.go_on.wait()
        if self.error is not None:
            raise self.error


def delivery(broker: Any) -> JointDelivery:
    """Return a delivery to a broker."""
    return JointDelivery(broker)


async def ticks() -> None:
    """Let tasks run until they wait."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_comes_while_messages_are_on_their_way_goes_out_together() -> None:
    """In the order in which the callers came."""
    broker = Broker()
    joint = delivery(broker)
    first = asyncio.create_task(joint.deliver({HERE: [Outgoing(b"1")]}))
    await ticks()
    others = [
        asyncio.create_task(joint.deliver({HERE: [Outgoing(b"2")], THERE: [Outgoing(b"3")]})),
        asyncio.create_task(joint.deliver({HERE: [Outgoing(b"4"), Outgoing(b"5")]})),
    ]
    await ticks()
    assert broker.sent == [{HERE: [b"1"]}]
    assert not first.done()
    broker.go_on.set()
    await asyncio.gather(first, *others)
    assert broker.sent == [{HERE: [b"1"]}, {HERE: [b"2", b"4", b"5"], THERE: [b"3"]}]


async def test_no_message_is_nothing_to_wait_for() -> None:
    """A round in which no history changed."""
    broker = Broker()
    await delivery(broker).deliver({})
    assert not broker.sent


async def test_a_refusal_reaches_every_caller_and_the_next_ones_are_served() -> None:
    """Nobody waits for ever."""
    broker = Broker()
    joint = delivery(broker)
    broker.error = ConfigError("too large")
    broker.go_on.set()
    found = await asyncio.gather(
        *(joint.deliver({HERE: [Outgoing(value)]}) for value in (b"1", b"2")),
        return_exceptions=True,
    )
    assert [type(one) for one in found] == [ConfigError, ConfigError]
    broker.error = None
    await joint.deliver({THERE: [Outgoing(b"3")]})
    assert broker.sent[-1] == {THERE: [b"3"]}


async def test_the_messages_of_a_caller_that_has_left_stay_away() -> None:
    """Its partition belongs to another worker by then."""
    broker = Broker()
    joint = delivery(broker)
    first = asyncio.create_task(joint.deliver({HERE: [Outgoing(b"1")]}))
    await ticks()
    left = asyncio.create_task(joint.deliver({HERE: [Outgoing(b"2")]}))
    stays = asyncio.create_task(joint.deliver({HERE: [Outgoing(b"3")]}))
    await ticks()
    left.cancel()
    broker.go_on.set()
    await asyncio.gather(first, stays)
    with pytest.raises(asyncio.CancelledError):
        await left
    assert broker.sent == [{HERE: [b"1"]}, {HERE: [b"3"]}]


async def test_messages_are_merged_by_target() -> None:
    """Each target has its own."""
    broker = Broker()
    broker.go_on.set()
    joint = JointDelivery(
        broker,  # type: ignore[arg-type]
        lambda messages: [Outgoing(b"".join(one.value or b"" for one in messages))],
    )
    await asyncio.gather(
        joint.deliver({HERE: [Outgoing(b"1")], THERE: [Outgoing(b"2")]}),
        joint.deliver({HERE: [Outgoing(b"3")]}),
    )
    assert broker.sent == [{HERE: [b"13"], THERE: [b"2"]}]
