"""Sends messages and returns when the broker has them, in order and without holes.

Messages for one partition go out in record batches that the broker appends whole, and the next
batch of that partition is sent when the one before is acknowledged. So a reader sees each
publisher's messages in order, perhaps twice, never with one missing in between. What several
callers bring meanwhile goes out together: a broker that is slow gets fewer and larger batches.
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
from streamapp.transport.broker_watch import watch_brokers

logger = logging.getLogger(__name__)

MAX_BATCH_BYTES = 1_000_000
"""Size to which record batches are filled."""

MAX_MESSAGE_BYTES = 16_777_216
"""Largest message; the internal topics and those of dead letters are created to allow it."""


_RETRY_S = 0.1
_MOST_RETRY_S = 5.0
"""Half of the first pause before a batch is sent again, and the longest; each is twice the last."""


class Outgoing(NamedTuple):
    """A message to send."""

    value: bytes | None
    key: bytes | None = None
    timestamp_ms: int | None = None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Parcel:
    """What one caller brings for one partition, and waits for."""

    messages: Sequence[Outgoing]
    acknowledged: asyncio.Future[None]


class Producer:
    """A Kafka producer that is patient: it repeats what failed until it is acknowledged."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._watch: asyncio.Task[None] | None = None
        self._waiting: dict[tuple[str, int], list[_Parcel]] = {}
        self._sending: dict[tuple[str, int], asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Connect."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.bootstrap,
            acks="all",
            max_batch_size=MAX_MESSAGE_BYTES,
            max_request_size=MAX_MESSAGE_BYTES,
        )
        await self._producer.start()
        watch = watch_brokers(self._producer.client, self._settings.broker_url)
        self._watch = asyncio.create_task(watch)

    async def stop(self) -> None:
        """Disconnect; everything that `deliver` returned for is with the broker."""
        if self._watch is not None:
            self._watch.cancel()
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
        parcels = {
            target: _Parcel(some, asyncio.get_running_loop().create_future())
            for target, some in messages.items()
        }
        for target, parcel in parcels.items():
            self._waiting.setdefault(target, []).append(parcel)
            if target not in self._sending:
                self._sending[target] = asyncio.create_task(self._send(target))
        await asyncio.gather(*(parcel.acknowledged for parcel in parcels.values()))

    async def settled(self, within_s: float) -> bool:
        """Return when nothing is on its way to the broker, or after so long; say which it was."""
        if not self._sending:
            return True
        _, late = await asyncio.wait(self._sending.values(), timeout=within_s)
        return not late

    @property
    def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise RuntimeError("the publisher was not started")
        return self._producer

    async def _send(self, target: tuple[str, int]) -> None:
        """Send what waits for a partition, and what comes in meanwhile, until there is no more."""
        try:
            while parcels := self._waiting.pop(target, []):
                await self._send_together(*target, parcels)
        finally:
            del self._sending[target]

    async def _send_together(self, topic: str, partition: int, parcels: list[_Parcel]) -> None:
        """Send parcels, as often as it takes; what nobody waits for any more is left out."""
        waiting = [parcel for parcel in parcels if not parcel.acknowledged.done()]
        messages = list(chain.from_iterable(parcel.messages for parcel in waiting))
        failure: Exception | None = None
        try:
            await self._insist(topic, partition, messages, waiting)
        except Exception as error:  # noqa: BLE001 - it is for those who wait
            failure = error
        for parcel in waiting:
            if parcel.acknowledged.done():
                continue
            if failure is None:
                parcel.acknowledged.set_result(None)
            else:
                parcel.acknowledged.set_exception(failure)

    async def _insist(
        self, topic: str, partition: int, messages: Sequence[Outgoing], waiting: list[_Parcel]
    ) -> None:
        start = attempt = 0
        while start < len(messages) and not all(one.acknowledged.done() for one in waiting):
            batch, end = self._filled(messages, start)
            try:
                await (await self._connected.send_batch(batch, topic, partition=partition))
            except KafkaError as error:
                attempt += 1
                logger.warning(
                    "%s[%d] does not take messages, attempt %d (%s); trying again",
                    topic, partition, attempt, type(error).__name__,
                )  # fmt: skip
                await asyncio.sleep(min(_RETRY_S * 2**attempt, _MOST_RETRY_S))
            else:
                start, attempt = end, 0

    def _filled(self, messages: Sequence[Outgoing], start: int) -> tuple[BatchBuilder, int]:
        batch, end, size = self._connected.create_batch(), start, 0
        now_ms = int(time.time() * 1000)
        for value, key, timestamp_ms, headers in islice(messages, start, None):
            added = batch.append(
                timestamp=now_ms if timestamp_ms is None else timestamp_ms,
                key=key,
                value=value,
                headers=list(headers),
            )
            if added is None:
                break
            size += len(value or b"") + len(key or b"") + 32
            end += 1
            if size >= MAX_BATCH_BYTES:
                break
        if end == start:
            raise ValueError(f"a message of {len(messages[start].value or b'')} bytes is too large")
        batch.close()
        return batch, end
