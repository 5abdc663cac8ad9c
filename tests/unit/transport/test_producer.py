"""Messages of several callers for one partition: together, in order, without holes."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import errors
from aiokafka.errors import KafkaError, NotLeaderForPartitionError, for_code

from streamapp.config.settings import Settings
from streamapp.core.messages.message_size import MAX_MESSAGE_BYTES
from streamapp.errors import ConfigError
from streamapp.transport import producer as module
from streamapp.transport.produce_errors import InvalidRecordError
from streamapp.transport.producer import Outgoing, Producer

TARGET = "deltas", 1


class Batch:
    """In place of aiokafka's: a message of more than 9 bytes does not fit."""

    def __init__(self) -> None:
        self.values: list[bytes] = []

    def append(self, *, value: bytes, **_: Any) -> object | None:
        """Take a message, unless it is too large."""
        if len(value) > 9:
            return None
        self.values.append(value)
        return object()

    def close(self) -> None:
        """Take no more messages."""


class Broker:
    """In place of a producer: it acknowledges a batch when the test says so.

    Attributes:
        batches: The acknowledgements of the sent batches.
    """

    def __init__(self) -> None:
        self.batches: list[asyncio.Future[Any]] = []
        self._begins = [0]
        self._values: asyncio.Queue[list[bytes]] = asyncio.Queue()

    def create_batch(self) -> Batch:
        """Return an empty one."""
        return Batch()

    async def send_batch(self, batch: Batch, *_: object, **__: object) -> asyncio.Future[Any]:
        """Take a batch."""
        self._begins.append(self._begins[-1] + len(batch.values))
        self.batches.append(asyncio.get_running_loop().create_future())
        self._values.put_nowait(batch.values)
        return self.batches[-1]

    async def next(self) -> list[bytes]:
        """Return the values of the next batch, once it exists."""
        return await asyncio.wait_for(self._values.get(), 5)

    def acknowledge(self, number: int = -1) -> None:
        """Acknowledge a batch, the last one if none is named."""
        begin = self._begins[number] if number >= 0 else self._begins[number - 1]
        self.batches[number].set_result(SimpleNamespace(offset=begin))


class Harness(Producer):
    """A producer that is connected to this broker."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(Settings(_env_file=None))
        self._producer: Any = broker

    def know(self, limit: int) -> None:
        """Learn how much the topic takes."""
        self._limits = {TARGET[0]: limit}

    def bring(self, *values: bytes) -> asyncio.Task[dict[tuple[str, int], int]]:
        """Begin to deliver messages to one partition."""
        messages: Sequence[Outgoing] = [Outgoing(value) for value in values]
        return asyncio.create_task(self.deliver({TARGET: messages}))


async def test_what_comes_in_meanwhile_goes_out_together_and_in_order() -> None:
    """A slow broker gets one batch for all waiting callers, not one for each."""
    broker = Broker()
    publisher = Harness(broker)
    first = publisher.bring(b"a")
    assert await broker.next() == [b"a"]
    later = [publisher.bring(b"b", b"c"), publisher.bring(b"d")]
    await asyncio.sleep(0)
    assert len(broker.batches) == 1

    broker.acknowledge()
    await first
    assert await broker.next() == [b"b", b"c", b"d"]
    assert not any(one.done() for one in later)
    broker.acknowledge()
    # All three messages went out together, so the callers hear of the end of all.
    assert await asyncio.gather(*later) == [{TARGET: 4}, {TARGET: 4}]


async def test_a_partition_is_sent_to_again_after_it_had_nothing_to_wait_for() -> None:
    """The sender of a partition ends with the last message, and another begins."""
    broker = Broker()
    publisher = Harness(broker)
    for number in (1, 2):
        one = publisher.bring(b"%d" % number)
        assert await broker.next() == [b"%d" % number]
        broker.acknowledge()
        await one


async def test_who_is_cancelled_before_it_is_sent_sends_nothing() -> None:
    """A stage that lost its partition leaves the rest to the next owner."""
    broker = Broker()
    publisher = Harness(broker)
    first = publisher.bring(b"a")
    await broker.next()
    gone, stays = publisher.bring(b"b"), publisher.bring(b"c")
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])

    broker.acknowledge()
    assert await broker.next() == [b"c"]
    broker.acknowledge()
    await asyncio.gather(first, stays)


async def test_a_cancelled_caller_takes_nobody_else_with_it() -> None:
    """The batch in flight stays there, for other callers that wait for it."""
    broker = Broker()
    publisher = Harness(broker)
    gone, stays = publisher.bring(b"a"), publisher.bring(b"b")
    assert await broker.next() == [b"a", b"b"]
    gone.cancel()
    await asyncio.wait([gone])
    assert not stays.done()
    broker.acknowledge()
    await stays


async def test_it_is_settled_when_the_broker_has_what_was_on_its_way() -> None:
    """Also a batch that no caller waits for, because its partition was given up."""
    broker = Broker()
    publisher = Harness(broker)
    assert await publisher.settled(0)
    gone = publisher.bring(b"a")
    await broker.next()
    gone.cancel()
    await asyncio.wait([gone])
    assert not await publisher.settled(0.01)
    broker.acknowledge()
    assert await publisher.settled(5)


async def test_nothing_overtakes_what_the_broker_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same messages are sent again, whole, and only then the later ones."""
    monkeypatch.setattr(module, "_RETRY_S", 0.0)
    broker = Broker()
    publisher = Harness(broker)
    first = publisher.bring(b"a", b"b")
    await broker.next()
    behind = publisher.bring(b"c")
    broker.batches[0].set_exception(NotLeaderForPartitionError())
    assert await broker.next() == [b"a", b"b"]
    broker.acknowledge()
    await first
    assert await broker.next() == [b"c"]
    broker.acknowledge()
    await behind


async def test_who_waits_is_told_what_cannot_be_sent() -> None:
    """The process ends with it; no caller waits forever, and no message is left out silently."""
    broker = Broker()
    publisher = Harness(broker)
    first = publisher.bring(b"a")
    await broker.next()
    too_large, beside = publisher.bring(b"b" * 10), publisher.bring(b"c")
    await asyncio.sleep(0)
    broker.acknowledge()
    await first
    for one in (too_large, beside):
        with pytest.raises(ValueError, match="a message of 10 bytes is too large"):
            await one


async def test_what_was_refused_is_not_sent_again_when_nobody_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its partition moved to another worker, who sends it."""
    monkeypatch.setattr(module, "_RETRY_S", 0.0)
    broker = Broker()
    publisher = Harness(broker)
    gone = publisher.bring(b"a")
    await broker.next()
    behind = publisher.bring(b"b")
    gone.cancel()
    await asyncio.wait([gone])
    broker.batches[0].set_exception(NotLeaderForPartitionError())
    assert await broker.next() == [b"b"]
    broker.acknowledge()
    await behind


FOR_GOOD = (
    (errors.TopicAuthorizationFailedError, "write to deltas"),
    (errors.ClusterAuthorizationFailedError, "rights of this worker"),
    (errors.InvalidTopicError, "settings of the topic"),
    (errors.InvalidTimestampError, "set message.timestamp.type of the topic to LogAppendTime"),
    (errors.PolicyViolationError, "settings of the topic"),
    (errors.InvalidRequiredAcksError, "settings of the topic"),
    (errors.UnsupportedForMessageFormatError, "settings of the topic"),
    (errors.SaslAuthenticationFailed, "rights of this worker"),
    (InvalidRecordError, "cleanup.policy"),
    (errors.MessageSizeTooLargeError, "max.message.bytes"),
    (errors.RecordListTooLargeError, "max.message.bytes"),
    (KafkaError, "deltas does not take"),
)


@pytest.mark.parametrize(("error", "named"), FOR_GOOD, ids=lambda one: getattr(one, "__name__", ""))
async def test_an_error_that_never_passes_is_told_in_one_line(
    error: type[KafkaError], named: str
) -> None:
    """It names the topic and what to look at; nothing is sent again."""
    broker = Broker()
    one = Harness(broker).bring(b"a")
    await broker.next()
    broker.batches[0].set_exception(error())
    with pytest.raises(ConfigError) as told:
        await one
    assert TARGET[0] in str(told.value)
    assert named in str(told.value)
    assert error.__name__ in str(told.value)
    assert "\n" not in str(told.value)
    assert len(broker.batches) == 1


def test_the_client_knows_the_error_of_a_compacted_topic() -> None:
    """It would be taken for an error that nobody knows, and waited for."""
    assert for_code(87) is InvalidRecordError


PASSING = (
    errors.NotLeaderForPartitionError,
    errors.LeaderNotAvailableError,
    errors.NotEnoughReplicasError,
    errors.NotEnoughReplicasAfterAppendError,
    errors.RequestTimedOutError,
    errors.KafkaConnectionError,
    errors.KafkaTimeoutError,
    errors.KafkaStorageError,
    errors.UnknownTopicOrPartitionError,
    errors.BrokerNotAvailableError,
    errors.CorruptRecordException,
    errors.UnknownError,
)


@pytest.mark.parametrize("error", PASSING)
async def test_an_error_that_passes_is_waited_for(
    error: type[KafkaError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also errors that only the brokers know."""
    monkeypatch.setattr(module, "_RETRY_S", 0.0)
    broker = Broker()
    one = Harness(broker).bring(b"a")
    await broker.next()
    broker.batches[0].set_exception(error())
    assert await broker.next() == [b"a"]
    broker.acknowledge()
    await one


async def test_a_batch_that_is_too_large_is_sent_in_parts() -> None:
    """A topic may take less than it said, or nobody could ask."""
    broker = Broker()
    one = Harness(broker).bring(b"a", b"b", b"c", b"d")
    await broker.next()
    broker.batches[-1].set_exception(errors.MessageSizeTooLargeError())
    sent: list[bytes] = []
    while len(sent) < 4:
        some = await broker.next()
        assert len(some) < 4
        sent += some
        broker.acknowledge()
    await one
    assert sent == [b"a", b"b", b"c", b"d"]


async def test_no_batch_is_larger_than_its_topic_takes() -> None:
    """As far as the topic said how much it takes; a single message is sent whatever its size."""
    broker = Broker()
    publisher = Harness(broker)
    publisher.know(149)
    assert (publisher.limit(TARGET[0]), publisher.limit("other")) == (149, MAX_MESSAGE_BYTES)
    one = publisher.bring(b"12345678", b"2", b"3")
    for expected in ([b"12345678"], [b"2", b"3"]):
        assert await broker.next() == expected
        broker.acknowledge()
    await one


async def test_what_is_on_its_way_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client puts the batches of all partitions of a broker into one request."""
    monkeypatch.setattr(module, "_MAX_IN_FLIGHT_BYTES", 250)
    broker = Broker()
    publisher = Harness(broker)
    many = {("deltas", number): [Outgoing(b"%d" % number)] for number in range(5)}
    sending = asyncio.create_task(publisher.deliver(many))
    found = [await broker.next(), await broker.next()]
    await asyncio.sleep(0.01)
    assert len(broker.batches) == 2
    broker.acknowledge(0)
    found.append(await broker.next())
    broker.batches[1].set_exception(NotLeaderForPartitionError())
    found.append(await broker.next())
    assert found == [[b"0"], [b"1"], [b"2"], [b"3"]]
    sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending
