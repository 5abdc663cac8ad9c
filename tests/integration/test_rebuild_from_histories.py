"""Rows, norms and lists are made again from the histories, without the events."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from streamapp.core.ids.registry import shard_of
from streamapp.failpoints import REBUILD_NAMES
from tests.faults.shop import exact, sent_of, total, wait_applied
from tests.integration.traffic import (
    Act,
    hidden_in_lists,
    produce,
    product,
    read_topic,
    rebuilt,
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
    assert hidden_in_lists(deployment, {"sku-1"}) == []
    assert await asyncio.to_thread(two.terminate) == 0


@pytest.mark.kafka
async def test_the_number_of_internal_partitions_grows_and_shrinks(
    deployment: Deployment, worker: StartWorker
) -> None:
    """From 4 to 12 and to 3: users, their lists and counters move, and each event counts once.

    Lists stay, and readers of the topic find a higher `seq`.
    """
    deployment.env["STREAMAPP_BOUGHT_AFTER_VIEW"] = "true"
    deployment.env["STREAMAPP_PARTITIONS"] = "4"
    await count(deployment, worker, ACTS[:500], 0)
    for partitions, first in (("12", 500), ("3", 1_000)):
        before = dict(users_of(deployment))
        deployment.env["STREAMAPP_PARTITIONS"] = partitions
        plan = deployment.run("streamapp", "rebuild", "--from-histories", "--json")
        assert plan.returncode == 2, plan.stderr
        assert set(orjson.loads(plan.stdout)["partitions_after"].values()) == {int(partitions)}
        done = await asyncio.to_thread(from_histories, deployment)
        assert set(done["partitions_after"].values()) == {int(partitions)}
        assert dict(users_of(deployment)) == before
        assert total(deployment, "u", "applied") == first
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


async def test_interactions_of_a_worker_that_died_are_applied_first(
    deployment: Deployment, worker: StartWorker
) -> None:
    """Cuts wait in the topic, deltas were sent and not stored: histories and trending hold both."""
    deployment.env["STREAMAPP_PARTITIONS"] = "2"
    deployment.env["STREAMAPP_FAILPOINT"] = "histories.blobs-put:6"
    one = worker()
    for start in range(0, 600, 20):
        await produce(deployment, [sent_of(deployment, [a]) for a in ACTS[start : start + 20]])
        if not one.running:
            break
    assert await asyncio.to_thread(one.wait, 60) < 0
    assert total(deployment, "u", "applied") < 600
    del deployment.env["STREAMAPP_FAILPOINT"]
    plan = deployment.run("streamapp", "rebuild", "--from-histories", "--json")
    assert orjson.loads(plan.stdout)["records_to_apply_first"] > 0

    await asyncio.to_thread(from_histories, deployment)
    sent = [record.value for record in await read_topic(deployment, f"{deployment.name}-clicks")]
    sent += [r.value for r in await read_topic(deployment, f"{deployment.name}-purchases")]
    acts = [act for act in ACTS[:600] if sent_of(deployment, [act]).value in set(sent)]
    two = worker("two")
    await asyncio.to_thread(exact, deployment, acts)
    assert await asyncio.to_thread(two.terminate) == 0


@pytest.mark.parametrize("name", REBUILD_NAMES)
async def test_a_rebuild_that_dies_is_ended_by_the_next_one(
    deployment: Deployment, worker: StartWorker, name: str
) -> None:
    """Until then no worker starts, once the journal is written; before, the old state is whole."""
    deployment.env["STREAMAPP_PARTITIONS"] = "2"
    await count(deployment, worker, ACTS[:400], 0)
    deployment.env["STREAMAPP_PARTITIONS"] = "3"
    deployment.env["STREAMAPP_FAILPOINT"] = f"{name}:1"
    died = deployment.run("streamapp", "rebuild", "--from-histories", "--yes")
    assert died.returncode < 0, died.stdout + died.stderr
    del deployment.env["STREAMAPP_FAILPOINT"]
    if name != "rebuild.popularity-put":
        refused = deployment.idle_worker("refused")
        refused.launch()
        assert await asyncio.to_thread(refused.wait, 60) == 1
        assert "--from-histories --yes" in refused.output.splitlines()[-1]
        plan = deployment.run("streamapp", "rebuild", "--from-histories", "--json")
        assert orjson.loads(plan.stdout)["interrupted"] is True

    await asyncio.to_thread(from_histories, deployment)
    assert total(deployment, "u", "applied") == 400
    await count(deployment, worker, ACTS[400:600], 400)
    two = worker("two")
    await asyncio.to_thread(exact, deployment, ACTS[:600])
    assert await asyncio.to_thread(two.terminate) == 0


async def test_popularity_that_is_lost_has_to_be_given_up(
    deployment: Deployment, worker: StartWorker
) -> None:
    """Histories do not say how often an item was clicked; without histories nothing is done."""
    await count(deployment, worker, ACTS[:100], 0)
    prefix = deployment.env["STREAMAPP_STATE_PREFIX"]
    with deployment.redis() as redis:
        redis.unlink(f"{prefix}{{i1}}:head")
    refused = deployment.run("streamapp", "rebuild", "--from-histories", "--yes")
    assert refused.returncode == 1
    assert f"records of {deployment.name}-deltas" in refused.stderr
    with deployment.redis() as redis:
        redis.rename(f"{prefix}{{u1}}:head", f"{prefix}{{u1}}:lost")
    refused = deployment.run("streamapp", "rebuild", "--from-histories", "--yes", "--accept-loss")
    assert refused.returncode == 1
    assert "redis does not hold the histories" in refused.stderr
    with deployment.redis() as redis:
        redis.rename(f"{prefix}{{u1}}:lost", f"{prefix}{{u1}}:head")
    done = await asyncio.to_thread(from_histories, deployment, "--accept-loss")
    assert list(done["records_lost"]) == [f"{deployment.name}-deltas"]
