"""How events are sent: in order, keyed by user, one bundle at a time."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from aiokafka.partitioner import DefaultPartitioner

from streamapp.errors import ConfigError
from streamapp.importing.judge import Accepted
from streamapp.importing.sender import Sender
from streamapp.transport.producer import Outgoing, Producer
from tests.unit.importing.reading import settings


class Notes(Producer):
    """Records what it sends, takes time to acknowledge, and refuses the value `bad`."""

    def __init__(self) -> None:
        super().__init__(settings())
        self.sent: dict[tuple[str, int], list[Outgoing]] = {}
        self.busy = 0

    async def deliver(
        self, messages: Mapping[tuple[str, int], Sequence[Outgoing]]
    ) -> dict[Any, int]:
        """Refuse a call during another call."""
        assert self.busy == 0
        self.busy += 1
        await asyncio.sleep(0)
        for target, some in messages.items():
            if any(one.value == b"bad" for one in some):
                raise ConfigError("refused")
            self.sent.setdefault(target, []).extend(some)
        self.busy -= 1
        return {}


def bundle(topic: str, *users: str, value: bytes | None = None) -> Accepted:
    """Return an event of each user; its value is the user and its place."""
    values = [value or f"{user}-{place}".encode() for place, user in enumerate(users)]
    return Accepted([topic] * len(users), [user.encode() for user in users], values)


async def test_events_go_in_order_to_the_partitions_of_their_users() -> None:
    """As other clients of Kafka choose them; the counts are those of the broker."""
    notes, users = Notes(), [f"u{number % 7}" for number in range(40)]
    sender = Sender(notes, {"clicks": 3, "purchases": 2})
    for _ in range(2):
        await sender.send(bundle("clicks", *users))
    await sender.send(bundle("purchases", "u1"))
    await sender.finish()

    assert sender.sent == {"clicks": 80, "purchases": 1}
    partition_of = DefaultPartitioner()
    for (topic, partition), messages in notes.sent.items():
        numbers = list(range({"clicks": 3, "purchases": 2}[topic]))
        assert {partition_of(one.key, numbers, numbers) for one in messages} == {partition}
    clicks = [one for (topic, _), some in notes.sent.items() if topic == "clicks" for one in some]
    for user in set(users):
        own = [f"{user}-{place}".encode() for place, other in enumerate(users) if other == user]
        assert [one.value for one in clicks if one.key == user.encode()] == own * 2


async def test_a_refusal_of_kafka_ends_the_import_and_counts_what_was_sent_before() -> None:
    """The next bundle, or the end, raises it."""
    sender = Sender(Notes(), {"clicks": 3})
    await sender.send(bundle("clicks", "u"))
    await sender.send(bundle("clicks", "u", value=b"bad"))
    with pytest.raises(ConfigError, match="refused"):
        await sender.finish()
    assert sender.sent == {"clicks": 1}
