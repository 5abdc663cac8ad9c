"""Sends the shop's records at a rate, and again if they were not acknowledged."""

import asyncio
from collections.abc import Iterator

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.chaos.journal import Journal
from tests.chaos.shop import Tracked
from tests.servers.deployment import Deployment

_TICK_S = 0.05
_REQUEST_TIMEOUT_MS = 5_000
_RETRY_S = 0.5
_MOST_UNDERWAY = 5_000


class Producer:
    """A tracker that loses nothing: it sends a record again if it was not acknowledged.

    Attributes:
        sent: How many records were taken from the shop.
        events: Events in those records.
        repeated: How many sends were repeated; the topic may hold such a record twice.
    """

    def __init__(
        self,
        deployment: Deployment,
        shop: Iterator[Tracked],
        rate: int,
        journal: Journal,
    ) -> None:
        """Make it, without connecting.

        Args:
            deployment: The deployment whose topics it writes to.
            shop: The records to send.
            rate: Records a second.
            journal: Has the clock.
        """
        self.sent = 0
        self.events = 0
        self.repeated = 0
        self._deployment = deployment
        self._shop = shop
        self._rate = rate
        self._journal = journal
        self._underway: set[asyncio.Task[None]] = set()

    async def run(self, duration_s: float) -> None:
        """Send for this long, and return when everything is acknowledged."""
        total = int(self._rate * duration_s)
        async with AIOKafkaProducer(
            bootstrap_servers=self._deployment.servers.bootstrap,
            acks="all",
            linger_ms=5,
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
        ) as kafka:
            while self.sent < total:
                due = min(total, int(self._rate * self._journal.now_s))
                while self.sent < due and len(self._underway) < _MOST_UNDERWAY:
                    record = next(self._shop)
                    self.sent += 1
                    self.events += record.events
                    task = asyncio.create_task(self._insist(kafka, record))
                    self._underway.add(task)
                    task.add_done_callback(self._underway.discard)
                await asyncio.sleep(_TICK_S)
            await asyncio.gather(*self._underway)

    async def _insist(self, kafka: AIOKafkaProducer, record: Tracked) -> None:
        topic = f"{self._deployment.name}-{record.topic}"
        while True:
            try:
                await kafka.send_and_wait(topic, record.value, record.key, headers=record.headers)
            except KafkaError:
                self.repeated += 1
                await asyncio.sleep(_RETRY_S)
            else:
                return
