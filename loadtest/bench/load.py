"""Open loop: a program that sends events when they are due, without waiting for their effect.

Events have as their time the moment at which they were due. The delay of each is recorded too: a
load that did not keep its own schedule says nothing about the app. The schedule is made before the
start, so that the load takes little of the CPU that it shares with the servers. A very long one
would take too much memory, and is made while it is sent.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka.partitioner import DefaultPartitioner

from loadtest.bench.distribution import Distribution
from loadtest.bench.program import heard, say
from loadtest.bench.source import write_log
from loadtest.replay import bundled, encode
from streamapp.config.loader import load_settings
from streamapp.eventlog import LoggedEvent, read_log
from streamapp.transport.producer import Outgoing, Producer

_TICK_S = 0.005
"""Events that are due within a tick go out together."""
_LATE_MS = 50.0
"""The 99th percentile of lateness up to which a load counts."""

_AHEAD_EVENTS = 2_000_000
"""The longest schedule that is made before the start."""


class Due(NamedTuple):
    """An event, its key and partition, and when it is due, in seconds after the start."""

    at_s: float
    event: LoggedEvent
    key: bytes = b""
    partition: int = 0


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
    """Return whether a load kept its schedule."""
    return lateness.percentile_ms(99) <= _LATE_MS


class OpenLoop:
    """Sends events on an absolute schedule.

    Args:
        publisher: Started.
        topic: Where to.
        events_per_record: As of the replay.
        start_s: Second 0, on the monotonic clock.
    """

    def __init__(
        self,
        publisher: Producer,
        topic: str,
        events_per_record: int,
        start_s: float,
    ) -> None:
        self._publisher = publisher
        self._topic = topic
        self._events_per_record = events_per_record
        self._start_s = start_s
        self._wall_s = time.time() - time.monotonic() + start_s
        self.lateness = Distribution()

    async def run(self, schedule: Iterable[Due]) -> None:
        """Send all events; return when the broker has acknowledged them.

        A bundle waits for the acknowledgement of the previous one, so users' events keep their
        order. Events that become due meanwhile go out with the next bundle, and are late by that
        time.
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
        for due in bundle:
            message = Outgoing(encode(self.stamped(due)), due.key)
            messages.setdefault((self._topic, due.partition), []).append(message)
        if self._events_per_record > 1:
            messages = {
                target: bundled(some, self._events_per_record) for target, some in messages.items()
            }
        now_s = time.monotonic() - self._start_s
        await self._publisher.deliver(messages)
        for due in bundle:
            self.lateness.record(now_s - due.at_s)

    def stamped(self, due: Due) -> LoggedEvent:
        """Return the event to send, with the moment at which it is due."""
        return due.event._replace(ts=self._wall_s + due.at_s)


class Schedule:
    """The events of a load with keys and partitions, in the order in which they are due.

    Each pass yields the same events.

    Args:
        spec: The input of the program.
        partitions: Partitions of the topic.
    """

    def __init__(self, spec: dict[str, Any], partitions: int) -> None:
        self._spec = spec
        self._partitions = partitions

    def __iter__(self) -> Iterator[Due]:
        """Read the logs."""
        probes = [Due(at_s, LoggedEvent(*event)) for at_s, event in self._spec["probes"]]
        return addressed(merged(background(self._spec), probes), self._partitions)

    def ahead(self) -> Iterable[Due]:
        """Return all events, made now unless there are too many of them."""
        is_short = self._spec["rate"] * self._spec["duration_s"] <= _AHEAD_EVENTS
        return list(self) if is_short else self


def addressed(schedule: Iterable[Due], partitions: int) -> Iterator[Due]:
    """Yield the events of a schedule with their keys and partitions."""
    numbers, partition_of = list(range(partitions)), DefaultPartitioner()

    @cache
    def address(user: str) -> tuple[bytes, int]:
        key = user.encode()
        return key, partition_of(key, numbers, numbers)

    for due in schedule:
        yield Due(due.at_s, due.event, *address(due.event.user_id))


def background(spec: dict[str, Any]) -> Iterator[Due]:
    """Yield the events of a log at an even rate, as long as the run lasts; nothing at rate 0.

    A log that ends early begins again with other users, who bring as much work as the first.
    """
    rate, duration_s = spec["rate"], spec["duration_s"]
    files = [Path(file) for file in spec["files"]] if rate else []
    place = 0
    for turn in count():
        began = place
        for event in read_log(files):
            if place / rate >= duration_s:
                return
            yield Due(place / rate, _in_turn(event, turn))
            place += 1
        if place == began:
            return


def _in_turn(event: LoggedEvent, turn: int) -> LoggedEvent:
    """Return the event of the user who does the same in this turn of the log."""
    if not turn:
        return event
    order_id = event.order_id if event.order_id is None else f"{event.order_id}~{turn}"
    return event._replace(user_id=f"{event.user_id}~{turn}", order_id=order_id)


async def send(spec: dict[str, Any]) -> None:
    """Send the load when it gets second 0, then write the log of the sent events."""
    publisher = Producer(load_settings())
    await publisher.start()
    try:
        schedule = Schedule(spec, await publisher.partitions(spec["topic"])).ahead()
        say({"ready": True})
        start_s = heard()["start_s"]
        loop = OpenLoop(publisher, spec["topic"], spec["events_per_record"], start_s)
        await loop.run(schedule)
        elapsed_s = time.monotonic() - start_s
    finally:
        await publisher.stop()
    write_log(Path(spec["sent"]), (loop.stamped(due) for due in schedule))
    say({
        "events": loop.lateness.count,
        "elapsed_s": elapsed_s,
        "lateness": loop.lateness.as_dict(),
        "kept": kept(loop.lateness),
    })  # fmt: skip


if __name__ == "__main__":
    asyncio.run(send(heard()))
