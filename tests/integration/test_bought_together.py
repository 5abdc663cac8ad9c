"""What is bought together: lists of their own kind, from purchases alone, a basket being an order."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from tests.integration.traffic import event, produce, redis_lists
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

StartWorker = Callable[..., Worker]


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
