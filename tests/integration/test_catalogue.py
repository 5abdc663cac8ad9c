"""A catalogue: what is not available is in no list, and back when it is available again."""

import asyncio
from collections.abc import Callable

import orjson
import pytest

from tests.integration.traffic import Sent, event, produce, redis_lists
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

StartWorker = Callable[..., Worker]

NOW = 1_700_000_000.0
WITHIN_S = 30.0


@pytest.fixture(autouse=True)
def _catalogue(deployment: Deployment) -> None:
    """Turn the catalogue on."""
    deployment.env["STREAMAPP_CATALOGUE_TOPIC"] = f"{deployment.name}-catalogue"


def product(item: str, **fields: object) -> Sent:
    """Return a record of the catalogue."""
    return Sent(orjson.dumps({"item_id": item, **fields}), item.encode(), "catalogue")


def gone(item: str) -> Sent:
    """Return the record of an item that was deleted."""
    return Sent(None, item.encode(), "catalogue")


def listed(deployment: Deployment, name: str) -> list[str]:
    """Return the items of a list by its name."""
    content = redis_lists(deployment).get(name)
    return [entry["id"] for entry in orjson.loads(content)["items"]] if content else []


async def shown(deployment: Deployment, **expected: list[str]) -> None:
    """Wait until lists are as expected, by their names with `_` for the colon."""
    names = {name: name.replace("_", ":") for name in expected}
    await asyncio.to_thread(
        wait_until,
        lambda: all(listed(deployment, names[name]) == expected[name] for name in names),
        WITHIN_S,
        lambda: f"{expected}, not { {name: listed(deployment, names[name]) for name in names} }",
    )


def shop() -> list[Sent]:
    """Return clicks after which the list of a is b, c, d, and e trends behind all of them."""
    seen = {"u1": "abcd", "u2": "abc", "u3": "ab", "v": "a", "w": "e"}
    return [event(user, item, ts=NOW) for user, items in seen.items() for item in items]


async def test_an_item_that_is_not_available_leaves_every_list_and_comes_back(
    deployment: Deployment, worker: StartWorker
) -> None:
    """Lists of items, of users and of what trends are refilled to their length."""
    deployment.env["STREAMAPP_TOP_N"] = "2"
    worker()
    await produce(deployment, shop())
    await shown(deployment, item_a=["b", "c"], user_v=["b", "c"], trending=["a", "b"])

    await produce(deployment, [product("b", available=False, title="B", colour="red")])
    await shown(deployment, item_a=["c", "d"], user_v=["c", "d"], trending=["a", "c"])
    assert listed(deployment, "item:b") == ["a", "c"]

    await produce(deployment, [product("b", available=True)])
    await shown(deployment, item_a=["b", "c"], user_v=["b", "c"], trending=["a", "b"])

    await produce(deployment, [gone("b"), product("a", available=False)])
    await shown(deployment, item_a=["c", "d"], item_b=["c", "d"], trending=["c", "d"])
    await produce(deployment, [product("b"), product("a")])
    await shown(deployment, item_a=["b", "c"], user_v=["b", "c"], trending=["a", "b"])
