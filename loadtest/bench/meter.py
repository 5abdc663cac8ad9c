"""The meter: what a worker, Redis and the output topic have used or got so far."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from redis import Redis

from loadtest.bench.process import Process
from loadtest.bench.redis_calls import calls_per_s, redis_calls
from streamapp.config.settings import Settings
from streamapp.transport.offsets import read_offsets
from streamapp.transport.records import TP


@dataclass(frozen=True, slots=True)
class Reading:
    """What was used up to a moment.

    Attributes:
        at_s: The moment, on the monotonic clock.
        cpu_s: CPU seconds of the worker.
        calls: Calls to Redis, by the name of the command.
        input_bytes: Bytes that Redis got over its connections.
        lists: Records of the output topic, lists of all kinds.
    """

    at_s: float
    cpu_s: float
    calls: dict[str, int]
    input_bytes: int
    lists: int


def read_meter(settings: Settings, redis: Redis, worker: Process) -> Reading:
    """Return what was used so far.

    Calls of the benchmark itself do not count. The few dozen bytes of a reading do.
    """
    at_s, cpu_s, calls = time.monotonic(), worker.cpu_s(), redis_calls(redis)
    stats: Any = redis.info("stats")
    # Last, because the broker may take a while to answer.
    return Reading(at_s, cpu_s, calls, stats["total_net_input_bytes"], published(settings))


def published(settings: Settings) -> int:
    """Return how many lists of all kinds went to the output topic so far."""
    tps = [TP(settings.lists_topic, number) for number in range(settings.partitions)]
    return sum(known.end for known in asyncio.run(read_offsets(settings, tps, {})).values())


def used(before: Reading, after: Reading, rate: float) -> dict[str, Any]:
    """Return what was used between two readings, in JSON form.

    Args:
        before: The first reading.
        after: The second reading.
        rate: Events a second that came in between.
    """
    took_s, cpu_s = after.at_s - before.at_s, after.cpu_s - before.cpu_s
    events, calls = rate * took_s, calls_per_s(before.calls, after.calls, took_s)
    return {
        "events": events,
        "took_s": took_s,
        "cpu_share": cpu_s / took_s,
        "cpu_us_per_event": cpu_s / events * 1e6,
        "lists_per_event": (after.lists - before.lists) / events,
        "redis_commands_per_s": sum(calls.values()),
        "redis_commands": calls,
        "redis_input_bytes_per_event": (after.input_bytes - before.input_bytes) / events,
    }
