"""Load test. Open loop: a program that sends events when they are due, whatever comes of them.

Events are stamped with the moment at which they were to be sent. How late each went out is recorded
too: a load that did not keep its own schedule says nothing about the app.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka.partitioner import DefaultPartitioner

from loadtest.bench.distribution import Distribution
from loadtest.bench.program import heard, say
from loadtest.bench.source import write_log
from loadtest.replay import bundled, encode
from streamapp.eventlog import LoggedEvent, read_log
from streamapp.settings import load_settings
from streamapp.transport.publisher import Outgoing, Publisher

_TICK_S = 0.002
"""What falls due within a tick goes out together."""
_LATE_MS = 50.0
"""The 99th percentile of lateness up to which a load counts."""


class Due(NamedTuple):
    """An event and when it is due, in seconds after the start."""

    at_s: float
    event: LoggedEvent


def merged(background: Iterator[Due], probes: Sequence[Due]) -> Iterator[Due]:
    """Yield background and probes in the order in which they are due."""
    left = iter(probes)
    probe = next(left, None)
    for due in background:
        while probe is not None and probe.at_s <= due.at_s:
            yield probe
            probe = next(left, None)
        yield due
    while probe is not None:
        yield probe
        probe = next(left, None)


def kept(lateness: Distribution) -> bool:
    """Say whether a load kept its schedule."""
    return lateness.percentile_ms(99) <= _LATE_MS


class OpenLoop:
    """Sends events on an absolute schedule.

    Args:
        publisher: Started.
        topic: Where to.
        partitions: How many the topic has.
        events_per_record: As of the replay.
        start_s: When second 0 is, on the monotonic clock.
    """

    def __init__(
        self,
        publisher: Publisher,
        topic: str,
        partitions: int,
        events_per_record: int,
        start_s: float,
    ) -> None:
        self._publisher = publisher
        self._topic = topic
        self._partitions = list(range(partitions))
        self._events_per_record = events_per_record
        self._start_s = start_s
        self._wall_s = time.time() - time.monotonic() + start_s
        self._partition_of = DefaultPartitioner()
        self.lateness = Distribution()
        self.sent: list[LoggedEvent] = []

    async def run(self, schedule: Iterator[Due]) -> None:
        """Send all events; return when the broker has acknowledged them.

        A bundle waits for the acknowledgement of the one before, so that users' events keep their
        order; what falls due meanwhile goes out with the next, and is late by so much.
        """
        bundle: list[Due] = []
        for due in schedule:
            now_s = time.monotonic() - self._start_s
            if due.at_s > now_s:
                await self._deliver(bundle)
                bundle = []
                ahead_s = due.at_s - (time.monotonic() - self._start_s)
                if ahead_s > 0:
                    await asyncio.sleep(max(_TICK_S, ahead_s))
            bundle.append(due)
        await self._deliver(bundle)

    async def _deliver(self, bundle: Sequence[Due]) -> None:
        if not bundle:
            return
        messages: dict[tuple[str, int], list[Outgoing]] = {}
        for at_s, event in bundle:
            stamped = event._replace(ts=self._wall_s + at_s)
            self.sent.append(stamped)
            key = event.user_id.encode()
            partition = self._partition_of(key, self._partitions, self._partitions)
            messages.setdefault((self._topic, partition), []).append(Outgoing(encode(stamped), key))
        if self._events_per_record > 1:
            messages = {
                target: bundled(some, self._events_per_record) for target, some in messages.items()
            }
        now_s = time.monotonic() - self._start_s
        await self._publisher.deliver(messages)
        for at_s, _ in bundle:
            self.lateness.record(now_s - at_s)


def background(spec: dict[str, Any]) -> Iterator[Due]:
    """Yield the events of a log at an even rate, as long as the run lasts; nothing at rate 0."""
    rate, duration_s = spec["rate"], spec["duration_s"]
    events = read_log([Path(file) for file in spec["files"]] if rate else [])
    for place, event in enumerate(events):
        if place / rate >= duration_s:
            return
        yield Due(place / rate, event)


async def send(spec: dict[str, Any]) -> None:
    """Send what is asked when second 0 is told, then write the log of what was sent."""
    publisher = Publisher(load_settings())
    await publisher.start()
    try:
        say({"ready": True})
        start_s = heard()["start_s"]
        partitions = await publisher.partitions(spec["topic"])
        loop = OpenLoop(publisher, spec["topic"], partitions, spec["events_per_record"], start_s)
        probes = [Due(at_s, LoggedEvent(*event)) for at_s, event in spec["probes"]]
        await loop.run(merged(background(spec), probes))
        elapsed_s = time.monotonic() - start_s
    finally:
        await publisher.stop()
    write_log(Path(spec["sent"]), loop.sent)
    say({
        "events": len(loop.sent),
        "elapsed_s": elapsed_s,
        "lateness": loop.lateness.as_dict(),
        "kept": kept(loop.lateness),
    })  # fmt: skip


if __name__ == "__main__":
    asyncio.run(send(heard()))
