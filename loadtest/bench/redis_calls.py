"""Calls to Redis: how often each command was called so far, by anybody but the benchmark."""

from typing import Any

from redis import Redis

_OWN = "cmdstat_info"
"""The calls by which the benchmark asks Redis for its counters."""


def redis_calls(redis: Redis) -> dict[str, int]:
    """Return how often each command was called, by its name.

    Commands that scripts call count too, as Redis counts them.
    """
    found: Any = redis.info("commandstats")
    return {
        name.removeprefix("cmdstat_"): one["calls"] for name, one in found.items() if name != _OWN
    }


def calls_per_s(before: dict[str, int], after: dict[str, int], took_s: float) -> dict[str, float]:
    """Return how often a second each command was called between two answers, without zeros."""
    rates = {name: (count - before.get(name, 0)) / took_s for name, count in after.items()}
    return {name: rate for name, rate in rates.items() if rate}
