"""Rows, norms and lists are made again from the histories, without the events."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from streamapp.core.ids.registry import shard_of
from tests.faults.shop import exact, sent_of, total, wait_applied
from tests.integration.traffic import (
    Act,
    produce,
    product,
    rebuilt,
    redis_lists,
    synthetic,
    with_catalogue,
)
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

StartWorker = Callable[..., Worker]

ACTS = list(synthetic(seed=27, events=1_500, users=90, items=40, orders=3))


def lose_rows(deployment: Deployment) -> int:
    """Delete every stored row; return how many there were."""
    prefix = deployment.env["STREAMAPP_STATE_PREFIX"]
    with deployment.redis() as redis:
        rows = list(redis.scan_iter(f"{prefix}*{{i[0-9]*}}:b:*", count=10_000))
        for key in rows:
            redis.unlink(key)
    return len(rows)


def from_histories(deployment: Deployment, *options: str) -> dict[str, Any]:
    """Rebuild from histories, as soon as Kafka knows of no worker; return what was done."""
    return rebuilt(deployment, "--from-histories", *options)


async def count(deployment: Deployment, worker: StartWorker, acts: list[Act], before: int) -> None:
    """Let a worker apply acts, and end."""
    one = worker()
    await produce(deployment, [sent_of(deployment, [act]) for act in acts])
    await asyncio.to_thread(wait_applied, deployment, before + len(acts))
    assert await asyncio.to_thread(one.terminate) == 0


@pytest.mark.parametrize("half_life", ["0", "86400"])
async def test_rows_that_were_lost_are_counted_again_for_all_kinds_of_lists(
    deployment: Deployment, worker: StartWorker, half_life: str
) -> None:
    """The next events are counted once, and hidden items stay hidden."""
    deployment.env |= {
        "STREAMAPP_BOUGHT_TOGETHER": "true",
        "STREAMAPP_BOUGHT_AFTER_VIEW": "true",
        "STREAMAPP_HALF_LIFE": half_life,
        "STREAMAPP_HISTORY_CAP": "12",
        "STREAMAPP_PARTITIONS": "3",
    }
    with_catalogue(deployment)
    made = await asyncio.to_thread(deployment.run, "streamapp", "topics")
    assert made.returncode == 0, made.stderr
    await produce(deployment, [product("sku-1", available=False, category="a/b")])
    await count(deployment, worker, ACTS[:1_000], 0)
    assert lose_rows(deployment) > 60

    done = await asyncio.to_thread(from_histories, deployment)
    assert done["partitions_before"] == done["partitions_after"]
    assert done["records_lost"] == {}
    await count(deployment, worker, ACTS[1_000:], 1_000)
    two = worker("two")
    await asyncio.to_thread(exact, deployment, ACTS)
    assert "item:sku-1" not in redis_lists(deployment)
    assert await asyncio.to_thread(two.terminate) == 0


async def test_the_number_of_internal_partitions_grows_and_shrinks(
    deployment: Deployment, worker: StartWorker
) -> None:
    """From 4 to 12 and to 3: users, their lists and counters move, and each event counts once."""
    deployment.env["STREAMAPP_BOUGHT_AFTER_VIEW"] = "true"
    deployment.env["STREAMAPP_PARTITIONS"] = "4"
    await count(deployment, worker, ACTS[:500], 0)
    for number, (partitions, first) in enumerate((("12", 500), ("3", 1_000))):
        before = {user: value for user, value in users_of(deployment)}
        deployment.env["STREAMAPP_PARTITIONS"] = partitions
        refused = deployment.idle_worker(f"refused-{number}")
        plan = deployment.run("streamapp", "rebuild", "--from-histories", "--json")
        assert plan.returncode == 2, plan.stderr
        assert set(orjson.loads(plan.stdout)["partitions_after"].values()) == {int(partitions)}
        done = await asyncio.to_thread(from_histories, deployment)
        assert set(done["partitions_after"].values()) == {int(partitions)}
        assert {user: value for user, value in users_of(deployment)} == before
        assert total(deployment, "u", "applied") == first
        assert refused.log.exists() is False
        await count(deployment, worker, ACTS[first : first + 500], first)
    two = worker("two")
    await asyncio.to_thread(exact, deployment, ACTS)
    assert await asyncio.to_thread(two.terminate) == 0


def users_of(deployment: Deployment) -> list[tuple[bytes, bytes]]:
    """Return the users of the user list index; each is in the slot of its partition."""
    prefix = deployment.env["STREAMAPP_STATE_PREFIX"]
    found: list[tuple[bytes, bytes]] = []
    with deployment.redis() as redis:
        count = int(redis.hget(f"{prefix}layout", f"{deployment.name}-interactions"))
        for number in range(100):
            users = redis.hgetall(f"{prefix}{{u{number}}}:audience")
            assert not users or number < count
            assert {shard_of(user.decode(), count) for user in users} <= {number}
            found += users.items()
    return found
