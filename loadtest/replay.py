"""Replay: the events of a log -> the event topics, each keyed by its user.

Events go out in bundles of record batches. One bundle is in flight while the next is filled. A
partition's batch is sent when the previous one is acknowledged, so each user's events stay in
order.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson
from aiokafka.partitioner import DefaultPartitioner

from loadtest.schedule import Schedule
from streamapp.eventlog import LoggedEvent
from streamapp.importing.router import Router
from streamapp.transport.producer import Outgoing, Producer

_BUNDLE_EVENTS = 10_000
_TICK_S = 0.002
"""Events that are due within a tick go out together."""


@dataclass(slots=True)
class Summary:
    """The outcome of a replay.

    Attributes:
        events: Events that the broker acknowledged, by topic.
        elapsed_s: Seconds from the first event due to the last acknowledgement.
        latest_s: Largest delay of an event behind its schedule; 0 without a schedule.
    """

    events: dict[str, int] = field(default_factory=dict)
    elapsed_s: float = 0.0
    latest_s: float = 0.0

    @property
    def total(self) -> int:
        """All events."""
        return sum(self.events.values())

    @property
    def events_per_s(self) -> float:
        """Events a second, from the first to the last acknowledgement."""
        return self.total / self.elapsed_s if self.elapsed_s else 0.0


class Replay:
    """Sends a log.

    Args:
        publisher: Started.
        router: Chooses the topics.
        partitions: Number of partitions by topic.
        tell: Called with the number of events acknowledged so far.
        events_per_record: Events of a partition in one record, an array without a key, which the
            app takes with `STREAMAPP_KEY_MISMATCH=accept`. With 1 a record is an event.
    """

    def __init__(
        self,
        publisher: Producer,
        router: Router,
        partitions: Mapping[str, int],
        tell: Callable[[int], None],
        events_per_record: int = 1,
    ) -> None:
        self._publisher = publisher
        self._events_per_record = events_per_record
        self._router = router
        self._partitions = {topic: list(range(count)) for topic, count in partitions.items()}
        self._tell = tell
        self._known: dict[str, dict[str, int]] = {topic: {} for topic in partitions}
        self._partition_of = DefaultPartitioner()
        self._bundle: dict[tuple[str, int], list[Outgoing]] = {}
        self._bundled = 0
        self._sending: asyncio.Task[None] | None = None
        self.summary = Summary(dict.fromkeys(partitions, 0))

    async def run(self, events: Iterable[LoggedEvent], schedule: Schedule) -> Summary:
        """Send `events` on `schedule`; return when the broker has acknowledged all of them.

        Raises:
            ConfigError: an event cannot be scheduled.
        """
        try:
            return await self._run(events, schedule)
        finally:
            if self._sending is not None:
                self._sending.cancel()

    async def _run(self, events: Iterable[LoggedEvent], schedule: Schedule) -> Summary:
        started = time.monotonic()
        for place, event in enumerate(events):
            due = schedule(place, event)
            if due > 0:
                ahead = started + due - time.monotonic()
                if ahead > 0:
                    await self._send()
                    await asyncio.sleep(max(_TICK_S, ahead))
                late = time.monotonic() - started - due
                self.summary.latest_s = max(self.summary.latest_s, late)
            self._add(event)
            if self._bundled >= _BUNDLE_EVENTS:
                await self._send()
        await self._send()
        await self._acknowledged()
        self.summary.elapsed_s = time.monotonic() - started
        return self.summary

    def _add(self, event: LoggedEvent) -> None:
        topic, key = self._router.topic(event.type), event.user_id.encode()
        known = self._known[topic]
        partition = known.get(event.user_id)
        if partition is None:
            partitions = self._partitions[topic]
            partition = known[event.user_id] = self._partition_of(key, partitions, partitions)
        message = Outgoing(encode(event), key)
        self._bundle.setdefault((topic, partition), []).append(message)
        self._bundled += 1

    async def _send(self) -> None:
        """Send the bundle as soon as the previous one has arrived."""
        await self._acknowledged()
        if self._bundled:
            self._sending = asyncio.create_task(self._deliver(self._bundle))
            self._bundle, self._bundled = {}, 0
            await asyncio.sleep(0)

    async def _acknowledged(self) -> None:
        if self._sending is not None:
            await self._sending
            self._sending = None

    async def _deliver(self, bundle: dict[tuple[str, int], list[Outgoing]]) -> None:
        size = self._events_per_record
        await self._publisher.deliver(
            bundle
            if size == 1
            else {target: bundled(some, size) for target, some in bundle.items()}
        )
        for (topic, _), messages in bundle.items():
            self.summary.events[topic] += len(messages)
        self._tell(self.summary.total)


def encode(event: LoggedEvent) -> bytes:
    """Return the value of an event record; missing fields of the event are left out."""
    fields = event.element().items()
    return orjson.dumps({name: value for name, value in fields if value is not None})


def bundled(messages: Sequence[Outgoing], size: int) -> list[Outgoing]:
    """Return records of `size` events each, as arrays without a key; the last may hold fewer."""
    values = [message.value or b"null" for message in messages]
    return [
        Outgoing(b"[" + b",".join(values[start : start + size]) + b"]")
        for start in range(0, len(values), size)
    ]
