"""The deltas of a round go out together."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from streamapp.agents.delivery.delta_delivery import DeltaDelivery
from streamapp.agents.delivery.own_messages import OwnMessages
from streamapp.core.messages.delta import JOINT_KEY
from streamapp.transport.producer import Outgoing
from streamapp.transport.records import TP

FIRST, SECOND, SHARD = TP("interactions", 0), TP("interactions", 1), TP("deltas", 3)


class Broker:
    """Appends messages at once.

    Attributes:
        sent: What came at a time.
    """

    def __init__(self) -> None:
        self.sent: list[dict[tuple[str, int], list[bytes | None]]] = []
        self._end = 10

    async def deliver(
        self, messages: Mapping[tuple[str, int], Sequence[Outgoing]]
    ) -> dict[tuple[str, int], int]:
        """Take messages."""
        self.sent.append({target: [one.key for one in some] for target, some in messages.items()})
        self._end += sum(map(len, messages.values()))
        return dict.fromkeys(messages, self._end)


def here() -> tuple[Broker, OwnMessages, DeltaDelivery]:
    """Return a delivery of a worker that owns two partitions, each with a message, and a shard."""
    broker, messages = Broker(), OwnMessages()
    made: Any = broker
    messages.own({FIRST: 0, SECOND: 0, SHARD: 10})
    messages.sent({FIRST: 1, SECOND: 1})
    return broker, messages, DeltaDelivery(made, messages, "interactions")


async def bring(delivery: DeltaDelivery, tp: TP, *deltas: bytes) -> asyncio.Task[None]:
    """Let a partition bring deltas, and wait until nothing more happens."""
    messages: dict[tuple[str, int], list[Outgoing]] = {}
    if deltas:
        messages[SHARD] = [Outgoing(one) for one in deltas]
    task = asyncio.create_task(delivery.deliver_of(tp, 1, messages))
    for _ in range(8):
        await asyncio.sleep(0)
    return task


async def test_deltas_wait_for_partitions_that_have_interactions() -> None:
    """The shard gets one message from both."""
    broker, _, delivery = here()
    first = await bring(delivery, FIRST, b"delta")
    assert broker.sent == []
    second = await bring(delivery, SECOND, b"delta")
    assert broker.sent == [{SHARD: [JOINT_KEY]}]
    await asyncio.gather(first, second)


async def test_a_delta_of_the_only_partition_goes_out_at_once() -> None:
    """An event of an idle worker waits for nobody."""
    broker, messages, delivery = here()
    messages.applied(SECOND, 1)
    await asyncio.wait_for(await bring(delivery, FIRST, b"delta"), 5)
    assert broker.sent == [{SHARD: [None]}]


async def test_interactions_without_deltas_hold_nobody_up() -> None:
    """They may all be repetitions."""
    broker, _, delivery = here()
    await asyncio.wait_for(await bring(delivery, FIRST), 5)
    await asyncio.wait_for(await bring(delivery, SECOND, b"delta"), 5)
    assert broker.sent == [{SHARD: [None]}]


async def test_a_round_is_over_when_the_shard_has_applied_the_delta() -> None:
    """The intake waits for it, not only for the histories."""
    _, messages, delivery = here()
    messages.applied(SECOND, 1)
    await asyncio.wait_for(await bring(delivery, FIRST, b"delta"), 5)
    assert messages.wait_s > 0
    messages.applied(SHARD, 11)
    assert messages.wait_s == 0


async def test_a_partition_that_is_slow_holds_the_others_up_for_a_second() -> None:
    """Not longer: it may be stuck."""
    broker, messages, delivery = here()
    await asyncio.wait_for(await bring(delivery, FIRST, b"delta"), 5)
    assert broker.sent == [{SHARD: [None]}]
    assert messages.wait_s > 0
