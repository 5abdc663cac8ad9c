"""Kinds of item lists beside neighbours: bought together, by orders, and bought after a view."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from streamapp.core.counts.norms import NORM
from tests.faults.shop import sent_of
from tests.integration.traffic import (
    Act,
    audited,
    event,
    produce,
    product,
    redis_lists,
    succeeded,
    synthetic,
    topic_as_keys,
    with_catalogue,
    write_log,
)
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

StartWorker = Callable[..., Worker]

KINDS = ("bought_together", "bought_after_view")
NOW = 1_700_000_000.0


@pytest.fixture(autouse=True)
def _on(deployment: Deployment) -> None:
    deployment.env |= {f"STREAMAPP_{kind.upper()}": "true" for kind in KINDS}


def list_of(
    deployment: Deployment, item: str, kind: str = "bought_together"
) -> list[tuple[str, float, int]]:
    """Return the entries of an item's list of a kind; none without a list."""
    value = redis_lists(deployment).get(f"{kind}:{item}")
    found: dict[str, Any] = orjson.loads(value) if value else {"items": []}
    return [(one["id"], one["score"], one["support"]) for one in found["items"]]


async def test_an_order_is_a_basket_and_so_is_a_user_without_one(
    deployment: Deployment, worker: StartWorker
) -> None:
    """Clicks do not count; two orders of a user are two baskets; key and topic have one form."""
    worker()
    await produce(
        deployment,
        [
            event("u1", "tent", type="purchase", order_id="1"),
            event("u1", "stove", type="order", order_id=1, ts=1_700_000_009),
            event("u1", "boots", type="purchase", order_id="2"),
            event("u1", "lantern", type="click", order_id="1"),
            event("u2", "tent")._replace(topic="purchases"),
            event("u2", "boots", type="buy", order_id=""),
        ],
    )
    beside = [("stove", 1 / 2**0.5, 1), ("boots", 0.5, 1)]
    await asyncio.to_thread(
        wait_until, lambda: list_of(deployment, "tent") == beside, 30, "the tent has two"
    )
    wait_until(lambda: list_of(deployment, "boots") == [("tent", 0.5, 1)], 30, "the boots have one")
    wait_until(lambda: "trending" in redis_lists(deployment), 30, "other lists are there")
    lists = redis_lists(deployment)
    assert "bought_together:lantern" not in lists
    tent = orjson.loads(lists["bought_together:tent"])
    assert list(tent) == ["v", "kind", "id", "seq", "as_of", "items"]
    assert (tent["v"], tent["kind"], tent["id"], tent["as_of"]) == (
        1, "bought_together", "tent", 1_700_000_009,
    )  # fmt: skip
    assert orjson.loads(lists["item:tent"])["kind"] == "item"


async def test_who_looked_at_an_item_is_told_what_was_bought_and_not_the_other_way_round(
    deployment: Deployment, worker: StartWorker
) -> None:
    """Direction counts, before or after does not, and no item is in its own list."""
    worker()
    await produce(
        deployment,
        [
            event("u1", "tent", type="click"),
            event("u1", "stove", type="click"),
            event("u1", "stove", type="purchase", ts=1_700_000_009),
            event("u2", "boots")._replace(topic="purchases"),
            event("u2", "tent", type="add_to_cart"),
            event("u3", "tent", type="view"),
        ],
    )
    after = [("boots", 1 / 3**0.5, 1), ("stove", 1 / 3**0.5, 1)]
    await asyncio.to_thread(
        wait_until,
        lambda: list_of(deployment, "tent", "bought_after_view") == after,
        30,
        "the tent has two",
    )
    wait_until(lambda: "trending" in redis_lists(deployment), 30, "other lists are there")
    lists = redis_lists(deployment)
    assert [name for name in lists if name.startswith("bought_after_view:")] == [
        "bought_after_view:tent"
    ]
    tent = orjson.loads(lists["bought_after_view:tent"])
    assert list(tent) == ["v", "kind", "id", "seq", "as_of", "items"]
    assert (tent["v"], tent["kind"], tent["id"], tent["as_of"]) == (
        1, "bought_after_view", "tent", 1_700_000_009,
    )  # fmt: skip
    told = orjson.loads(
        succeeded(deployment, "streamapp", "explain", "tent", "stove",
                  "--kind", "bought_after_view", "--json")
    )  # fmt: skip
    assert (told["items"], told["support"], told["users"]) == (["tent", "stove"], 1, [3, 3, 1])
    shown = succeeded(deployment, "streamapp", "explain", "tent", "stove",
                      "--kind", "bought_after_view")  # fmt: skip
    assert "users who viewed the one and bought the other" in shown
    assert "users who bought stove" in shown
    done = deployment.run("streamapp", "explain", "tent", "tap", "--kind", "bought_after_view")
    assert done.stderr == "streamapp: no interaction that bought item tap was ever applied\n"


@pytest.mark.ci(reason="a catalogue beside every kind of lists")
async def test_what_is_not_available_is_in_no_list_of_any_kind(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """A catalogue reaches the shards of every kind; the audit compares all of them."""
    with_catalogue(deployment)
    worker()
    acts = [Act("u1", item, "purchase", NOW) for item in ("tent", "stove", "boots")]
    acts.append(Act("u1", "tent", "click", NOW))
    await produce(deployment, [sent_of(deployment, acts)])
    for available, shown in (
        (True, ["boots", "stove"]),
        (False, ["boots"]),
        (True, ["boots", "stove"]),
    ):
        await produce(deployment, [product("stove", available=available)])
        for kind in KINDS:
            await asyncio.to_thread(
                wait_until,
                lambda kind=kind, shown=shown: (
                    shown == [item for item, _, _ in list_of(deployment, "tent", kind)]
                ),
                30,
                f"{shown} are {kind}",
            )
    await produce(deployment, [product("boots", available=False)])
    report: Any = await asyncio.to_thread(
        audited, deployment, [write_log(tmp_path / "shop.csv", acts)]
    )
    for kind in KINDS:
        assert report["compared"][f"{kind} availability"] == 2
        assert [item for item, _, _ in list_of(deployment, "tent", kind)] == ["stove"]


@pytest.mark.parametrize(
    ("cap", "measure"), [(100, "cosine"), pytest.param(3, "jaccard", marks=pytest.mark.full)]
)
def test_every_kind_is_counted_exactly_beside_everything_else(
    deployment: Deployment, worker: StartWorker, tmp_path: Path, cap: int, measure: str
) -> None:
    """The audit counts everything again; the topic equals Redis; status is that of the users."""
    deployment.env |= {
        "STREAMAPP_HISTORY_CAP": str(cap),
        "STREAMAPP_MEASURE": measure,
        "STREAMAPP_LIST_TOLERANCE": "0",
    }
    acts = list(synthetic(seed=cap, events=20_000, orders=4))
    log = write_log(tmp_path / "shop.csv", acts)
    worker()
    succeeded(
        deployment, "loadtest", "replay", str(log), "--max", "--topic", f"{deployment.name}-clicks"
    )
    report: dict[str, Any] = audited(deployment, [log])
    bought = [act for act in acts if act.type == "purchase"]
    baskets = {("o", act.order) if act.order else ("u", act.user) for act in bought}
    users = {act.user for act in acts}
    histories = {"bought_together": len(baskets), "bought_after_view": len(users)}
    assert report["applied_events"] == 20_000
    lists = redis_lists(deployment)
    for kind in KINDS:
        made = [name for name in lists if name.startswith(f"{kind}:")]
        assert report["compared"][f"{kind} histories"] == histories[kind]
        assert report["compared"][f"{kind} lists"] == len(made) > 0
        assert report["compared"][f"{kind} dots"] > 0
    assert report["compared"]["bought_together lists"] == len({act.item for act in bought})
    assert asyncio.run(topic_as_keys(deployment)) == lists

    status = orjson.loads(succeeded(deployment, "streamapp", "status", "--json"))
    assert status["users"] == len(users)
    assert (status["applied_events"], status["lag_events"]) == (20_000, 0)
    topics = {one["topic"] for one in status["partitions"]}
    memory = orjson.loads(succeeded(deployment, "streamapp", "footprint", "--json"))
    roles = {(act.item, act.type == "purchase") for act in acts}
    norms = memory["bought_after_view norms"]
    if cap == 100:
        # A shard has the norms of its items, and of those that share a user with them. Redis keeps
        # twice the bytes of a string that grows at its end.
        every = norms["keys"] * len(roles) * NORM.itemsize
        assert len(roles) * NORM.itemsize <= norms["bytes"] <= 2 * every
    assert memory["histories"]["keys"] == status["users"]
    for kind in KINDS:
        assert f"{deployment.name}-deltas-{kind.replace('_', '-')}" in topics
        assert memory[f"{kind} histories"]["keys"] == histories[kind]
        shown = succeeded(deployment, "streamapp", "show", kind, "sku-0", "--json")
        assert shown.encode() == lists[f"{kind}:sku-0"]
        first = orjson.loads(shown)["items"][0]
        told = orjson.loads(
            succeeded(deployment, "streamapp", "explain", "sku-0", first["id"],
                      "--kind", kind, "--json")
        )  # fmt: skip
        assert (told["score"], told["support"]) == (first["score"], first["support"])
        if cap == 100:
            assert told["users"][0] == histories[kind]


@pytest.mark.ci(reason="forgetting beside every kind of lists")
async def test_what_is_forgotten_takes_its_lists_with_it(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """From the key and from the topic; the basket of a user begins again as a history does."""
    deployment.env |= {"STREAMAPP_FORGET_AFTER": "2", "STREAMAPP_PARTITIONS": "1"}
    worker()
    at = 1_600_000_000.0
    acts = [
        Act("u1", "tent", "click", at),
        Act("u1", "tent", "purchase", at, "1"),
        Act("u1", "stove", "purchase", at, "1"),
        Act("u1", "boots", "purchase", at),
    ]
    await produce(deployment, [sent_of(deployment, [act]) for act in acts])
    for kind in KINDS:
        await asyncio.to_thread(
            wait_until, lambda kind=kind: list_of(deployment, "tent", kind), 30, "the tent has both"
        )
    acts += (more := [
        Act("u1", "lantern", "purchase", at + 100),
        Act("u1", "rope", "purchase", at + 100),
    ])  # fmt: skip
    await produce(deployment, [sent_of(deployment, [act]) for act in more])
    for kind in KINDS:
        await asyncio.to_thread(
            wait_until,
            lambda kind=kind: not list_of(deployment, "tent", kind),
            60,
            f"what was {kind} is forgotten",
        )
    await asyncio.to_thread(audited, deployment, [write_log(tmp_path / "log.csv", acts)])
    assert list_of(deployment, "lantern") == [("rope", 1.0, 1)]
    assert not list_of(deployment, "boots")
    assert await topic_as_keys(deployment) == redis_lists(deployment)
