"""Sends events to their topics, each keyed by its user."""

import asyncio
from collections.abc import Mapping, Sequence

from streamapp.importing.judge import Accepted
from streamapp.importing.partitions import partitions_of
from streamapp.transport.producer import Outgoing, Producer


class Sender:
    """Sends bundles of events in order; one is on its way while the next is read.

    Args:
        producer: Started.
        partitions: Number of partitions by topic.

    Attributes:
        sent: Events that the broker acknowledged, by topic.
    """

    def __init__(self, producer: Producer, partitions: Mapping[str, int]) -> None:
        self._producer = producer
        self._partitions = partitions
        self._sending: asyncio.Task[None] | None = None
        self.sent = dict.fromkeys(partitions, 0)

    async def send(self, events: Accepted) -> None:
        """Send events as soon as the previous ones have arrived.

        Raises:
            ConfigError: Kafka refuses events for good.
        """
        bundle = self._bundle(events)
        await self.finish()
        self._sending = asyncio.create_task(self._deliver(bundle))
        # The task begins before the next portion is read.
        await asyncio.sleep(0)

    async def finish(self) -> None:
        """Return when the broker has acknowledged everything.

        Raises:
            ConfigError: Kafka refuses events for good.
        """
        if self._sending is not None:
            await self._sending
            self._sending = None

    def stop(self) -> None:
        """Stop waiting for what is on its way."""
        if self._sending is not None:
            self._sending.cancel()

    def _bundle(self, events: Accepted) -> dict[tuple[str, int], list[Outgoing]]:
        bundle: dict[tuple[str, int], list[Outgoing]] = {}
        numbers = {
            topic: partitions_of(events.keys, count)
            for topic, count in self._partitions.items()
            if topic in set(events.topics)
        }
        messages = map(Outgoing, events.values, events.keys)
        for place, (topic, message) in enumerate(zip(events.topics, messages, strict=True)):
            target = topic, numbers[topic][place]
            if target not in bundle:
                bundle[target] = []
            bundle[target].append(message)
        return bundle

    async def _deliver(self, bundle: Mapping[tuple[str, int], Sequence[Outgoing]]) -> None:
        await self._producer.deliver(bundle)
        for (topic, _), messages in bundle.items():
            self.sent[topic] += len(messages)
