"""Idle users are forgotten: the state shrinks, and the counts stay exact."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import orjson

from streamapp.core.messages.interaction_batch import partition_of
from tests.integration.traffic import (
    Act,
    audited,
    event,
    produce,
    redis_lists,
    succeeded,
    topic_as_keys,
    write_log,
)
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

FORGET_AFTER_S = 2.0
BEGINNING = 1_600_000_000.0
USERS = 60


def users(deployment: Deployment) -> int:
    """Return how many users there are."""
    return int(orjson.loads(succeeded(deployment, "streamapp", "status", "--json"))["users"])


def visits(when: float, names: list[str]) -> list[Act]:
    """Return three clicks of each user, after `when` times the time to forget."""
    at = BEGINNING + when * FORGET_AFTER_S
    return [
        Act(name, f"sku-{(place * 7 + step * step) % 25}", "click", at + step / 100)
        for place, name in enumerate(names)
        for step in range(3)
    ]


async def send(deployment: Deployment, acts: list[Act]) -> None:
    """Produce acts."""
    await produce(deployment, [event(a.user, a.item, type=a.type, ts=a.ts) for a in acts])


async def test_idle_users_are_forgotten_and_come_back_as_new_ones(
    deployment: Deployment, worker: Callable[..., Worker], tmp_path: Path
) -> None:
    """Their histories are removed, with all their counts and lists, also after a restart."""
    deployment.env["STREAMAPP_FORGET_AFTER"] = str(FORGET_AFTER_S)
    partitions = deployment.settings.partitions
    early = [f"early-{number}" for number in range(USERS)]
    # Event time passes in every partition.
    late = [next(f"late-{number}" for number in range(1_000)
                 if partition_of(f"late-{number}", partitions) == partition)
            for partition in range(partitions)]  # fmt: skip
    first = worker()
    acts = visits(0, early) + visits(0.5, early[:20]) + visits(2.2, late)
    await send(deployment, acts)
    await asyncio.to_thread(
        wait_until, lambda: users(deployment) == 20 + len(late), 60, "the idle are forgotten"
    )
    await asyncio.to_thread(audited, deployment, [write_log(tmp_path / "one.csv", acts)])

    first.kill()
    worker()
    acts += (more := visits(3, early[:10]) + visits(9, late))
    await send(deployment, more)
    await asyncio.to_thread(
        wait_until, lambda: users(deployment) == len(late), 60, "all but the last are forgotten"
    )
    await asyncio.to_thread(audited, deployment, [write_log(tmp_path / "two.csv", acts)])
    lists = redis_lists(deployment)
    assert await topic_as_keys(deployment) == lists
    ranked = {key for key in lists if key.startswith("item:")}
    assert ranked <= {f"item:{act.item}" for act in visits(9, late)}

    acts += (back := visits(9, early[:3]))
    await send(deployment, back)
    await asyncio.to_thread(audited, deployment, [write_log(tmp_path / "three.csv", acts)])
    assert users(deployment) == len(late) + 3
