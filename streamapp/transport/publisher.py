"""Transport. Sends messages and returns when the broker has them, in order and without holes.

Messages for one partition go out in record batches that the broker appends whole, and the next
batch of that partition is sent when the one before is acknowledged. So a reader sees each
publisher's messages in order, perhaps twice, never with one missing in between.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from streamapp.settings import Settings

logger = logging.getLogger(__name__)

MAX_BATCH_BYTES = 1_000_000
"""Size to which record batches are filled."""

MAX_MESSAGE_BYTES = 16_777_216
"""Largest message; the internal topics and those of dead letters are created to allow it."""


class Outgoing(NamedTuple):
    """A message to send."""

    value: bytes | None
    key: bytes | None = None
    timestamp_ms: int | None = None
    headers: Sequence[tuple[str, bytes]] = ()


class Publisher:
    """A Kafka producer that is patient: it repeats what failed until it is acknowledged."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.bootstrap,
            acks="all",
            max_batch_size=MAX_MESSAGE_BYTES,
            max_request_size=MAX_MESSAGE_BYTES,
        )
        await self._producer.start()

    async def stop(self) -> None:
        """Disconnect; everything that `deliver` returned for is with the broker."""
        if self._producer is not None:
            await self._producer.stop()

    async def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has, as soon as it exists."""
        while True:
            try:
                return len(await self._connected.partitions_for(topic))
            except KafkaError as error:
                logger.warning("%s is not there (%s); waiting for it", topic, type(error).__name__)

    async def deliver(self, messages: Mapping[tuple[str, int], Sequence[Outgoing]]) -> None:
        """Send messages by (topic, partition); return when all of them are acknowledged."""
        await asyncio.gather(
            *(
                self._deliver(topic, partition, some)
                for (topic, partition), some in messages.items()
            )
        )

    @property
    def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise RuntimeError("the publisher was not started")
        return self._producer

    async def _deliver(self, topic: str, partition: int, messages: Sequence[Outgoing]) -> None:
        start = 0
        while start < len(messages):
            batch, end = self._filled(messages, start)
            await self._insist(batch, topic, partition, messages[start:end])
            start = end

    def _filled(self, messages: Sequence[Outgoing], start: int) -> tuple[BatchBuilder, int]:
        batch, end, size = self._connected.create_batch(), start, 0
        now_ms = int(time.time() * 1000)
        while end < len(messages) and size < MAX_BATCH_BYTES:
            message = messages[end]
            added = batch.append(
                timestamp=message.timestamp_ms if message.timestamp_ms is not None else now_ms,
                key=message.key,
                value=message.value,
                headers=list(message.headers),
            )
            if added is None:
                break
            size += len(message.value or b"") + len(message.key or b"") + 32
            end += 1
        if end == start:
            raise ValueError(f"a message of {len(messages[start].value or b'')} bytes is too large")
        batch.close()
        return batch, end

    async def _insist(
        self, batch: BatchBuilder, topic: str, partition: int, messages: Sequence[Outgoing]
    ) -> None:
        attempt = 0
        while True:
            try:
                await (await self._connected.send_batch(batch, topic, partition=partition))
            except KafkaError as error:
                attempt += 1
                logger.warning(
                    "%s[%d] does not take messages, attempt %d (%s); trying again",
                    topic, partition, attempt, type(error).__name__,
                )  # fmt: skip
                await asyncio.sleep(min(0.1 * 2**attempt, 5.0))
                batch, _ = self._filled(messages, 0)
            else:
                return
