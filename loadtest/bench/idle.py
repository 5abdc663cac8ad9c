"""The idle worker: its CPU, its memory, its calls to Redis and its connections."""

import time
from typing import Any

from redis import Redis

from loadtest.bench.process import Process
from loadtest.bench.redis_calls import calls_per_s, redis_calls

CALM_S = 5.0
"""Seconds without work after which a worker polls as seldom as it ever does."""

IDLE_S = 10.0
"""For how long an idle worker is measured."""


def idle(redis: Redis, worker: Process) -> dict[str, Any]:
    """Return what a worker costs that has nothing to do.

    Commands that scripts call count too, as Redis counts them. All clients of the server count but
    this one.
    """
    own = redis.client_id()
    time.sleep(CALM_S)
    calls, cpu_s, began_s = redis_calls(redis), worker.cpu_s(), time.monotonic()
    time.sleep(IDLE_S)
    after, used_s = redis_calls(redis), worker.cpu_s() - cpu_s
    took_s = time.monotonic() - began_s
    by_name = calls_per_s(calls, after, took_s)
    clients: Any = redis.client_list()
    return {
        "idle_cpu_share": used_s / took_s,
        "idle_rss_bytes": worker.rss_bytes(),
        "idle_commands_per_s": sum(by_name.values()),
        "idle_commands": by_name,
        "connections": sum(int(client["id"]) != own for client in clients),
    }


def redis_cpu_s(redis: Redis) -> float:
    """Return the CPU seconds that a Redis server has used."""
    used: Any = redis.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])
