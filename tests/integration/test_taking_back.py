"""Refunds, carts that are emptied, hidden items and forgotten users, on real servers."""

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import orjson
import pytest

from tests.integration.traffic import (
    Act,
    Sent,
    audited,
    produce,
    read_topic,
    redis_lists,
    succeeded,
    synthetic,
    write_log,
)
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

StartWorker = Callable[..., Worker]

KINDS = ("bought_together", "bought_after_view")
FORGOTTEN = ("u1", "u7", "u33")


@pytest.fixture(autouse=True)
def _on(deployment: Deployment) -> None:
    deployment.env |= {f"STREAMAPP_{kind.upper()}": "true" for kind in KINDS}


def fickle(seed: int, events: int) -> Iterator[Act]:
    """Yield a shop whose users take back, hide and show again what they did before."""
    chance = random.Random(seed)  # noqa: S311 - a shop, not a secret
    past: dict[str, Act] = {}
    for act in synthetic(seed, events, users=60, orders=3):
        yield act
        before = past.get(act.user)
        past[act.user] = act
        if before is None or chance.random() > 0.5:
            continue
        kind = chance.choice(("refund", "refund", "remove_from_cart", "hide", "unhide"))
        named = kind == "refund" and before.order
        item = "" if named and chance.random() < 0.5 else before.item
        yield Act(act.user, item, kind, act.ts, before.order if named else "")


def sent(acts: Iterable[Act]) -> list[Sent]:
    """Return acts as a tracker sends them, on one topic, so that their order is that of a log."""
    return [
        Sent(
            orjson.dumps({
                "user_id": act.user, "item_id": act.item, "type": act.type, "ts": act.ts,
                "order_id": act.order,
            }),
            act.user.encode(),
        )
        for act in acts
    ]  # fmt: skip


async def receipts(deployment: Deployment) -> set[str]:
    """Return the keys of the output topic under which the last record has no value."""
    last = {
        one.key.decode(): one.value
        for one in await read_topic(deployment, f"{deployment.name}-lists")
    }
    return {key for key, value in last.items() if value is None and key.startswith("user:")}


async def test_what_is_taken_back_is_in_no_count_and_who_is_forgotten_never_came(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """Every kind of lists equals the log, after a worker was killed; then users are forgotten."""
    first = worker()
    acts = list(fickle(3, 1_500))
    await produce(deployment, sent(acts[:1_000]))
    first.kill()
    worker()
    await produce(deployment, sent(acts[1_000:]))
    log = write_log(tmp_path / "one.csv", acts)
    report = await asyncio.to_thread(audited, deployment, [log])
    assert (report["refused"], report["skipped"]) == ({}, {})

    before = orjson.loads(succeeded(deployment, "streamapp", "export-user", "u1"))
    assert before["histories"]["item"]["items"]
    assert before["histories"]["bought_after_view"]["items"]
    for user in FORGOTTEN:
        succeeded(deployment, "streamapp", "forget", user, "--json")
    wanted = {f"user:{user}" for user in FORGOTTEN}

    async def told() -> bool:
        return wanted <= await receipts(deployment)

    await asyncio.to_thread(wait_until, lambda: asyncio.run(told()), 60, "there are receipts")
    gone = [act for act in acts if act.user in FORGOTTEN]
    assert gone
    forgets = write_log(
        tmp_path / "two.csv",
        [Act(user, "", "forget", "") for user in FORGOTTEN],  # type: ignore[arg-type]
    )
    await asyncio.to_thread(audited, deployment, [log, forgets])
    assert not wanted & set(redis_lists(deployment))
    for user in FORGOTTEN:
        after = orjson.loads(succeeded(deployment, "streamapp", "export-user", user))
        empty: dict[str, list[object]] = {"items": [], "hidden": []}
        assert after["histories"] == dict.fromkeys(("item", *KINDS), empty)
        assert (after["list"], after["list_expires_at"], after["receipt_due"]) == (
            None,
            None,
            False,
        )
