"""The watch: samples of the state and of the workers, until all is applied and published.

Samples are taken in a thread of their own. They take at most a tenth of its time, because servers
need the same CPU: one of many partitions takes a while. Once the run is settled, its time is that
of the first sample that equals the last one.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event, Thread
from typing import Self

from redis import Redis

from loadtest.bench.process import Process
from streamapp.cli.terminal.console import Step
from streamapp.config.settings import Settings
from streamapp.errors import StreamappError
from streamapp.inspection.slot_tags import tag_of
from streamapp.pipelines import main_pipeline
from streamapp.store.slot.keys import SlotKeys
from streamapp.transport.offsets import read_offsets
from streamapp.transport.records import TP

_INTERVAL_S = 0.02
"""The shortest time between two samples."""

_PAUSE = 9.0
"""The shortest time between two samples, as a multiple of what a sample takes."""

_STOP_S = 10.0
_QUIET_SAMPLES = 15


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample.

    Attributes:
        at_s: When, on the monotonic clock.
        positions: Positions of the partitions of event topics, interactions and deltas.
        applied: Interactions whose effect is in the state.
        pending: Whether a list waits to be published.
        cpu_s: CPU seconds of the workers.
        rss_bytes: Memory of the workers.
    """

    at_s: float
    positions: tuple[int, ...]
    applied: int
    pending: bool
    cpu_s: float
    rss_bytes: int


class State:
    """The positions of the state, read from the heads in one round trip.

    Attributes:
        tps: The partitions, in the order of the positions of a sample.
    """

    def __init__(self, settings: Settings, redis: Redis) -> None:
        self._settings = settings
        self._redis = redis
        topics = (*settings.event_topics, settings.interactions_topic, settings.deltas_topic)
        self.tps = [TP(topic, number) for topic in topics for number in range(settings.partitions)]
        self._heads = [
            SlotKeys(settings.state_prefix, tag_of(main_pipeline(settings), *tp)).head
            for tp in self.tps
        ]

    def look(self, workers: Sequence[Process] = ()) -> Sample:
        """Return a sample."""
        with self._redis.pipeline(transaction=False) as pipe:
            for head in self._heads:
                pipe.hmget(head, "position", "applied", "due_users")
                pipe.hstrlen(head, "dirty")
            answers = pipe.execute()
        numbers, dirty = answers[::2], answers[1::2]
        return Sample(
            time.monotonic(),
            tuple(int(position or 0) for position, _, _ in numbers),
            sum(int(applied or 0) for _, applied, _ in numbers),
            any(dirty) or any(int(due or 0) for _, _, due in numbers),
            sum(worker.cpu_s() for worker in workers),
            sum(worker.rss_bytes() for worker in workers),
        )

    def owners(self) -> tuple[bytes | None, ...]:
        """Return the token of the owner of each partition; a new one for each opening."""
        with self._redis.pipeline(transaction=False) as pipe:
            for head in self._heads:
                pipe.hget(head, "owner")
            return tuple(pipe.execute())

    def settled(self) -> bool:
        """Return whether all records are applied and all changed lists out; the input has stopped.

        The broker has a stage's messages before its position moves, so the end of each topic is
        final once the previous stage is done.
        """
        settings = self._settings
        for topics in (settings.event_topics, [settings.interactions_topic],
                       [settings.deltas_topic]):  # fmt: skip
            places = [place for place, tp in enumerate(self.tps) if tp.topic in topics]
            known = asyncio.run(read_offsets(settings, [self.tps[at] for at in places], {}))
            sample = self.look()
            if any(sample.positions[at] < known[self.tps[at]].end for at in places):
                return False
        return not self.look().pending


class Watch:
    """Takes samples of a run from its start to `settled`, as a context manager."""

    def __init__(self, settings: Settings, redis: Redis, workers: Sequence[Process]) -> None:
        self._state = State(settings, redis)
        self._workers = workers
        self._end = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._failure: Exception | None = None
        self.samples: list[Sample] = []

    @property
    def tps(self) -> list[TP]:
        """The partitions, in the order of the positions of a sample."""
        return self._state.tps

    def __enter__(self) -> Self:
        self.samples.append(self._state.look(self._workers))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(_STOP_S)

    def settled(self, timeout_s: float, tell: Step) -> None:
        """Wait until all is applied and out, and end the samples; `tell` gets the applied count.

        Raises:
            StreamappError: a worker ended, or it takes longer.
        """
        deadline = time.monotonic() + timeout_s
        while self._failure is None and not (self._quiet() and self._state.settled()):
            for worker in self._workers:
                worker.check()
            if time.monotonic() > deadline:
                raise StreamappError(f"not all events are applied after {timeout_s:g} s")
            if self.samples:
                tell(self.samples[-1].applied, None)
            self._end.wait(_INTERVAL_S)
        self._end.set()
        self._thread.join(_STOP_S)
        self.check()
        self.samples.append(self._state.look(self._workers))

    def owners(self) -> tuple[bytes | None, ...]:
        """Return the token of the owner of each partition; a new one for each opening."""
        return self._state.owners()

    def check(self) -> None:
        """Raise StreamappError if no sample can be taken any more."""
        if self._failure is not None:
            raise StreamappError(f"the run cannot be watched: {self._failure}")

    def _quiet(self) -> bool:
        """Return whether nothing changed for a while; this needs no call to Kafka."""
        if len(self.samples) < _QUIET_SAMPLES:
            return False
        before, last = self.samples[-_QUIET_SAMPLES], self.samples[-1]
        return any(last.positions) and last.positions == before.positions and not last.pending

    def _run(self) -> None:
        wait_s = _INTERVAL_S
        try:
            while not self._end.wait(wait_s):
                began_s = time.monotonic()
                self.samples.append(self._state.look(self._workers))
                wait_s = pause_s(time.monotonic() - began_s)
        except Exception as error:  # noqa: BLE001 - told by `settled`, in the main thread
            self._failure = error


def pause_s(took_s: float) -> float:
    """Return how long to wait for the next sample after one that took `took_s`."""
    return max(_INTERVAL_S, _PAUSE * took_s)


def span(samples: Sequence[Sample]) -> tuple[Sample, Sample]:
    """Return the last sample before anything changed, and the first that equals the last one.

    The time before the first record was applied does not count: start of the process, compilation
    of kernels, and joining the group.
    """
    first, last = samples[0], samples[-1]
    begin = first
    for sample in samples:
        if sample.positions != first.positions:
            break
        begin = sample
    end = last
    for sample in reversed(samples):
        if sample.positions != last.positions or sample.pending:
            break
        end = sample
    return begin, end
