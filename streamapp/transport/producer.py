"""Sends messages and returns when the broker has them, in order and without gaps.

Messages for one partition go out in record batches, which the broker appends whole. The next batch
of a partition is sent when the previous one is acknowledged. So a reader sees the messages of each
producer in order, perhaps twice, never with one missing in between. Messages that several callers
bring in the meantime go out together: a slow broker gets fewer and larger batches.

An error that passes is waited for. Any other goes to the callers: the same messages would be
refused for ever.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from streamapp.config.settings import Settings
from streamapp.core.messages.message_size import MAX_MESSAGE_BYTES
from streamapp.transport.broker_watch import watch_brokers
from streamapp.transport.byte_budget import ByteBudget
from streamapp.transport.connection import client_options
from streamapp.transport.produce_errors import TOO_LARGE, passes, refusal

logger = logging.getLogger(__name__)

MAX_BATCH_BYTES = 1_000_000
"""Size up to which a record batch is filled."""

_MAX_IN_FLIGHT_BYTES = 50_000_000
"""Most bytes of record batches on their way at a time. The client sends the batches of all
partitions of a broker in one request, and a broker closes the connection at 104,857,600 bytes."""

_BATCH_HEADER_BYTES, _RECORD_HEADER_BYTES, _HEADER_BYTES = 61, 40, 10
"""Most bytes of a record batch, of a record and of a header, beside their texts."""

_RETRY_S = 0.1
_MAX_RETRY_S = 5.0
"""Half of the first pause before a retry, and the longest pause; each is twice the previous."""


class Outgoing(NamedTuple):
    """A message to send."""

    value: bytes | None
    key: bytes | None = None
    timestamp_ms: int | None = None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Delivery:
    """The messages of one caller for one partition, and the future that the caller awaits."""

    messages: Sequence[Outgoing]
    acknowledged: asyncio.Future[int]


class Producer:
    """A Kafka producer that retries until the broker has acknowledged every message."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._watch: asyncio.Task[None] | None = None
        self._waiting: dict[tuple[str, int], list[_Delivery]] = {}
        self._sending: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._in_flight = ByteBudget(_MAX_IN_FLIGHT_BYTES)
        self._limits: dict[str, int] = {}
        self._fill: dict[str, int] = {}

    async def start(self, limits: Mapping[str, int] | None = None) -> None:
        """Connect.

        Args:
            limits: The largest record batch of each topic in bytes, as far as Kafka said so.
        """
        self._limits = dict(limits or {})
        self._producer = AIOKafkaProducer(
            **client_options(self._settings),
            acks="all",
            max_batch_size=MAX_MESSAGE_BYTES,
            max_request_size=MAX_MESSAGE_BYTES,
        )
        await self._producer.start()
        watch = watch_brokers(self._producer.client, self._settings.broker_url)
        self._watch = asyncio.create_task(watch)

    async def stop(self) -> None:
        """Disconnect; the broker has every message for which `deliver` returned."""
        if self._watch is not None:
            self._watch.cancel()
        if self._producer is not None:
            await self._producer.stop()

    def limit(self, topic: str) -> int:
        """Return the largest record batch that a topic takes, in bytes."""
        return self._limits.get(topic, MAX_MESSAGE_BYTES)

    async def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has, as soon as it exists.

        Raises:
            ConfigError: Kafka refuses to say so, for good.
        """
        while True:
            try:
                return len(await self._connected.partitions_for(topic))
            except KafkaError as error:
                if not passes(error):
                    raise refusal(topic, 0, error) from error
                logger.warning("%s is not there (%s); waiting for it", topic, type(error).__name__)

    async def deliver(
        self, messages: Mapping[tuple[str, int], Sequence[Outgoing]]
    ) -> dict[tuple[str, int], int]:
        """Send messages by (topic, partition); return when all of them are acknowledged.

        Returns:
            An offset of each partition behind the messages.

        Raises:
            ConfigError: Kafka refuses messages for good.
        """
        deliveries = {
            target: _Delivery(some, asyncio.get_running_loop().create_future())
            for target, some in messages.items()
        }
        for target, delivery in deliveries.items():
            self._waiting.setdefault(target, []).append(delivery)
            if target not in self._sending:
                self._sending[target] = asyncio.create_task(self._send(target))
        ends = await asyncio.gather(*(one.acknowledged for one in deliveries.values()))
        return dict(zip(deliveries, ends, strict=True))

    async def settled(self, within_s: float) -> bool:
        """Wait until no message is in flight, for so long at most; return whether none is."""
        if not self._sending:
            return True
        _, late = await asyncio.wait(self._sending.values(), timeout=within_s)
        return not late

    @property
    def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise RuntimeError("the producer was not started")
        return self._producer

    async def _send(self, target: tuple[str, int]) -> None:
        """Send all waiting messages of a partition, and those that come in the meantime."""
        try:
            while deliveries := self._waiting.pop(target, []):
                await self._send_together(*target, deliveries)
        finally:
            del self._sending[target]

    async def _send_together(self, topic: str, partition: int, deliveries: list[_Delivery]) -> None:
        """Send deliveries; skip those whose caller has stopped waiting."""
        waiting = [delivery for delivery in deliveries if not delivery.acknowledged.done()]
        messages = list(chain.from_iterable(delivery.messages for delivery in waiting))
        failure: Exception | None = None
        end = 0
        try:
            end = await self._send_until_acknowledged(topic, partition, messages, waiting)
        except Exception as error:  # noqa: BLE001 - the callers get it
            failure = error
        for delivery in waiting:
            if delivery.acknowledged.done():
                continue
            if failure is None:
                delivery.acknowledged.set_result(end)
            else:
                delivery.acknowledged.set_exception(failure)

    async def _send_until_acknowledged(
        self, topic: str, partition: int, messages: Sequence[Outgoing], waiting: list[_Delivery]
    ) -> int:
        """Return the offset behind the last message that was sent; 0 without one."""
        start = attempt = behind = 0
        while start < len(messages) and not all(one.acknowledged.done() for one in waiting):
            batch, end, size = self._filled(topic, messages, start)
            try:
                async with self._in_flight.reserved(size):
                    sending = await self._connected.send_batch(batch, topic, partition=partition)
                    behind = (await sending).offset + end - start
            except KafkaError as error:
                if isinstance(error, TOO_LARGE) and end > start + 1:
                    self._fill[topic] = size // 2
                    continue
                if not passes(error):
                    raise refusal(topic, size, error) from error
                attempt += 1
                logger.warning(
                    "%s[%d] does not take messages, attempt %d (%s); trying again",
                    topic, partition, attempt, type(error).__name__,
                )  # fmt: skip
                await asyncio.sleep(min(_RETRY_S * 2**attempt, _MAX_RETRY_S))
            else:
                start, attempt = end, 0
        return behind

    def _filled(
        self, topic: str, messages: Sequence[Outgoing], start: int
    ) -> tuple[BatchBuilder, int, int]:
        """Return a batch of messages from `start` on, where they end, and their bytes at most."""
        batch, end, size = self._connected.create_batch(), start, _BATCH_HEADER_BYTES
        most = min(MAX_BATCH_BYTES, self.limit(topic), self._fill.get(topic, MAX_BATCH_BYTES))
        now_ms = int(time.time() * 1000)
        for value, key, timestamp_ms, headers in islice(messages, start, None):
            own = _RECORD_HEADER_BYTES + len(value or b"") + len(key or b"")
            own += sum(
                _HEADER_BYTES + len(name.encode()) + len(text or b"") for name, text in headers
            )
            if end > start and size + own > most:
                break
            added = batch.append(
                timestamp=now_ms if timestamp_ms is None else timestamp_ms,
                key=key,
                value=value,
                headers=list(headers),
            )
            if added is None:
                break
            size += own
            end += 1
        if end == start:
            raise ValueError(f"a message of {len(messages[start].value or b'')} bytes is too large")
        batch.close()
        return batch, end, size
