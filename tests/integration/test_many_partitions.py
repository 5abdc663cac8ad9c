"""Many partitions: a worker's use of Redis does not grow with them."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.integration.traffic import audited, event, produce, synthetic, write_log
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

StartWorker = Callable[..., Worker]


async def test_a_worker_of_many_partitions_counts_exactly_with_two_connections(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """Its tasks wait for each other; too many connections once ended a worker."""
    deployment.env |= {"STREAMAPP_PARTITIONS": "64", "STREAMAPP_REDIS_CONNECTIONS": "2"}
    one = worker()
    acts = list(synthetic(seed=25, events=2_000))
    await produce(deployment, [event(act.user, act.item, type=act.type, ts=act.ts) for act in acts])
    audited(deployment, [write_log(tmp_path / "log.csv", acts)])
    assert one.running
    assert one.terminate() == 0


@pytest.mark.ci(reason="what partitions cost an idle worker; opening 64 of them takes a while")
async def test_an_idle_worker_of_many_partitions_leaves_redis_alone(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """Its jobs share what they read: 64 partitions once took 3,800 commands a second."""
    deployment.env |= {"STREAMAPP_PARTITIONS": "64"}
    one = worker()
    acts = list(synthetic(seed=26, events=500))
    await produce(deployment, [event(act.user, act.item, type=act.type, ts=act.ts) for act in acts])
    audited(deployment, [write_log(tmp_path / "log.csv", acts)])
    with deployment.redis() as redis:
        quiet_since = [time.monotonic(), _scripts(redis)]

        def nothing_is_written() -> bool:
            if (scripts := _scripts(redis)) != quiet_since[1]:
                quiet_since[:] = [time.monotonic(), scripts]
            return time.monotonic() > quiet_since[0] + 2 * deployment.settings.refresh_interval

        wait_until(nothing_is_written, 60.0, lambda: "every list is compared")
        # All periods of polls fit into four seconds.
        before, began_at = _commands(redis), time.monotonic()
        wait_until(lambda: time.monotonic() > began_at + 8.0, 20.0, lambda: "eight seconds")
        rate = (_commands(redis) - before) / (time.monotonic() - began_at)
    # The heads of 64 shards 0.75 times a second, and 256 positions every other second.
    assert 100 < rate < 200
    assert one.running
    assert one.terminate() == 0


def _stats(redis: Redis) -> dict[str, Any]:
    found: Any = redis.info("commandstats")
    return {str(name): about["calls"] for name, about in found.items()}


def _scripts(redis: Redis) -> int:
    """Return how many scripts ran so far that may change state; one asks for the time alone."""
    stats = _stats(redis)
    return int(stats.get("cmdstat_evalsha", 0)) - int(stats.get("cmdstat_time", 0))


def _commands(redis: Redis) -> int:
    """Return how many commands ran so far, those of this test left out."""
    return sum(calls for name, calls in _stats(redis).items() if "info" not in name)
