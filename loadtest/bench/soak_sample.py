"""Samples of a worker that has the same work for a long time."""

import time
from dataclasses import dataclass
from typing import Any

from redis import Redis

from loadtest.bench.process import Process
from streamapp.cli.terminal.console import Step

_EVERY_S = 10.0
"""The time between two samples."""

_LEAST = 24
"""Samples of a run that is too short for so many."""


@dataclass(frozen=True, slots=True)
class SoakSample:
    """One sample.

    Attributes:
        at_s: Seconds after the start of the load.
        rss_bytes: Memory of the worker.
        redis_bytes: Memory that Redis uses.
        fds: Open file descriptors of the worker.
        threads: Threads of the worker.
        cpu_share: CPU of the worker since the sample before, as a share of a core.
    """

    at_s: float
    rss_bytes: int
    redis_bytes: int
    fds: int
    threads: int
    cpu_share: float


def sampled(
    redis: Redis, worker: Process, start_s: float, duration_s: float, tell: Step
) -> list[SoakSample]:
    """Return samples of a worker, evenly spaced from the start of its load to the end.

    Args:
        redis: Whose memory is sampled too.
        worker: The worker.
        start_s: When the load starts, on the monotonic clock.
        duration_s: How long it lasts.
        tell: Gets the seconds so far.

    Raises:
        StreamappError: the worker ends.
    """
    every_s = min(_EVERY_S, duration_s / _LEAST)
    samples = []
    last_s, last_cpu_s = time.monotonic(), worker.cpu_s()
    # A quotient that is a whole number may be rounded down to a little less.
    for number in range(1, int(duration_s / every_s + 1e-6) + 1):
        time.sleep(max(0.0, start_s + number * every_s - time.monotonic()))
        worker.check()
        now_s, cpu_s = time.monotonic(), worker.cpu_s()
        memory: Any = redis.info("memory")
        samples.append(
            SoakSample(
                at_s=now_s - start_s,
                rss_bytes=worker.rss_bytes(),
                redis_bytes=memory["used_memory"],
                fds=worker.fds(),
                threads=worker.threads(),
                cpu_share=(cpu_s - last_cpu_s) / (now_s - last_s),
            )
        )
        last_s, last_cpu_s = now_s, cpu_s
        tell(round(samples[-1].at_s), round(duration_s))
    return samples
