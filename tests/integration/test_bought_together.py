"""What is bought together: lists of a kind of their own, from purchases alone, by orders."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

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

NOW = 1_700_000_000.0


@pytest.fixture(autouse=True)
def _on(deployment: Deployment) -> None:
    deployment.env["STREAMAPP_BOUGHT_TOGETHER"] = "true"


def list_of(deployment: Deployment, item: str) -> list[tuple[str, float, int]]:
    """Return the entries of what is bought together with an item; none while there is no list."""
    value = redis_lists(deployment).get(f"bought_together:{item}")
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


async def test_what_is_not_available_is_not_bought_together_with_anything(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """A catalogue tells the shards of every kind; the audit looks at all of them."""
    with_catalogue(deployment)
    worker()
    acts = [Act("u1", item, "purchase", NOW) for item in ("tent", "stove", "boots")]
    await produce(deployment, [sent_of(deployment, acts)])
    for available, shown in (
        (True, ["boots", "stove"]),
        (False, ["boots"]),
        (True, ["boots", "stove"]),
    ):
        await produce(deployment, [product("stove", available=available)])
        await asyncio.to_thread(
            wait_until,
            lambda shown=shown: [item for item, _, _ in list_of(deployment, "tent")] == shown,
            30,
            f"{shown} are shown",
        )
    await produce(deployment, [product("boots", available=False)])
    report: Any = await asyncio.to_thread(
        audited, deployment, [write_log(tmp_path / "shop.csv", acts)]
    )
    assert report["compared"]["bought_together availability"] == 2
    assert [item for item, _, _ in list_of(deployment, "tent")] == ["stove"]


@pytest.mark.parametrize(("cap", "measure"), [(100, "cosine"), (3, "jaccard")])
def test_baskets_are_counted_exactly_beside_everything_else(
    deployment: Deployment, worker: StartWorker, tmp_path: Path, cap: int, measure: str
) -> None:
    """The audit counts both anew; the topic is what Redis holds; status is that of the users."""
    deployment.env |= {"STREAMAPP_HISTORY_CAP": str(cap), "STREAMAPP_MEASURE": measure}
    acts = list(synthetic(seed=cap, events=20_000, orders=4))
    log = write_log(tmp_path / "shop.csv", acts)
    worker()
    succeeded(
        deployment, "loadtest", "replay", str(log), "--max", "--topic", f"{deployment.name}-clicks"
    )
    report: dict[str, Any] = audited(deployment, [log])
    bought = [act for act in acts if act.type == "purchase"]
    baskets = {("o", act.order) if act.order else ("u", act.user) for act in bought}
    assert report["applied_events"] == 20_000
    assert report["compared"]["bought_together histories"] == len(baskets)
    assert report["compared"]["bought_together lists"] == len({act.item for act in bought})
    lists = redis_lists(deployment)
    assert asyncio.run(topic_as_keys(deployment)) == lists

    status = orjson.loads(succeeded(deployment, "streamapp", "status", "--json"))
    assert status["users"] == len({act.user for act in acts})
    assert (status["applied_events"], status["lag_events"]) == (20_000, 0)
    assert f"{deployment.name}-deltas-bought-together" in {
        one["topic"] for one in status["partitions"]
    }
    memory = orjson.loads(succeeded(deployment, "streamapp", "footprint", "--json"))
    assert memory["histories"]["keys"] == status["users"]
    assert memory["bought_together histories"]["keys"] == len(baskets)
    shown = succeeded(deployment, "streamapp", "show", "bought_together", "sku-0", "--json")
    assert shown.encode() == lists["bought_together:sku-0"]
    first = orjson.loads(shown)["items"][0]
    told = orjson.loads(
        succeeded(deployment, "streamapp", "explain", "sku-0", first["id"],
                  "--kind", "bought_together", "--json")
    )  # fmt: skip
    assert (told["score"], told["support"]) == (first["score"], first["support"])
    if cap == 100:
        assert told["users"][0] == len(baskets)


async def test_baskets_that_are_forgotten_take_their_lists_with_them(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """From the key and from the topic; the basket of a user begins anew like a history."""
    deployment.env |= {"STREAMAPP_FORGET_AFTER": "2", "STREAMAPP_PARTITIONS": "1"}
    worker()
    at = 1_600_000_000.0
    acts = [
        Act("u1", "tent", "purchase", at, "1"),
        Act("u1", "stove", "purchase", at, "1"),
        Act("u1", "boots", "purchase", at),
    ]
    await produce(deployment, [sent_of(deployment, [act]) for act in acts])
    await asyncio.to_thread(
        wait_until, lambda: list_of(deployment, "tent"), 30, "the tent has a list"
    )
    acts += (more := [
        Act("u1", "lantern", "purchase", at + 100),
        Act("u1", "rope", "purchase", at + 100),
    ])  # fmt: skip
    await produce(deployment, [sent_of(deployment, [act]) for act in more])
    await asyncio.to_thread(
        wait_until, lambda: not list_of(deployment, "tent"), 60, "the order is forgotten"
    )
    await asyncio.to_thread(audited, deployment, [write_log(tmp_path / "log.csv", acts)])
    assert list_of(deployment, "lantern") == [("rope", 1.0, 1)]
    assert not list_of(deployment, "boots")
    assert await topic_as_keys(deployment) == redis_lists(deployment)
