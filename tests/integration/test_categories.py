"""Trending items of a category: a list of its own, and a list for every read."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.integration.traffic import (
    Sent,
    audited,
    deleted,
    event,
    produce,
    product,
    rebuilt,
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
WITHIN_S = 30.0


@pytest.fixture(autouse=True)
def _catalogue(deployment: Deployment) -> None:
    """Turn the catalogue on."""
    with_catalogue(deployment)


def trending(deployment: Deployment) -> dict[str, list[str]]:
    """Return the items of the list of each category."""
    return {
        name.removeprefix("trending:"): [one["id"] for one in orjson.loads(content)["items"]]
        for name, content in redis_lists(deployment).items()
        if name.startswith("trending:")
    }


async def shown(deployment: Deployment, expected: dict[str, list[str]]) -> None:
    """Wait until the lists of all categories are as expected."""
    await asyncio.to_thread(
        wait_until,
        lambda: trending(deployment) == expected,
        WITHIN_S,
        lambda: f"{expected}, not {trending(deployment)}",
    )


def show(deployment: Deployment, *arguments: str) -> dict[str, Any]:
    """Return the list that a command shows."""
    shown: dict[str, Any] = orjson.loads(
        succeeded(deployment, "streamapp", "show", *arguments, "--json")
    )
    return shown


async def test_items_come_move_and_go_and_every_read_has_a_list(
    deployment: Deployment, worker: StartWorker
) -> None:
    """A user's own list, then the trending items of the category, then all trending items.

    If lists get another length, so do the lists of categories without events.
    """
    deployment.env["STREAMAPP_TOP_N"] = "1"
    one = worker()
    clicks = {"a": 4, "b": 3, "c": 2, "d": 1, "lone": 1}
    records: list[Sent] = [
        event(f"u{number}", item, ts=NOW)
        for item, count in clicks.items()
        for number in range(count)
    ]
    await produce(deployment, [product(item, category="tents") for item in "abc"])
    await produce(deployment, [*records, event("solo", "lone", ts=NOW)])
    await shown(deployment, {"tents": ["a"]})
    await produce(
        deployment,
        [product("a", category="lamps"), product("b", category="tents", available=False),
         product("d", category="tents"), product("new", category="lamps")],
    )  # fmt: skip
    await shown(deployment, {"tents": ["c"], "lamps": ["a"]})
    await asyncio.to_thread(
        wait_until, lambda: "user:solo" in redis_lists(deployment), WITHIN_S, "solo has a list"
    )
    assert one.terminate() == 0

    assert show(deployment, "trending", "--category", "tents")["id"] == "tents"
    assert show(deployment, "trending", "--category", "pots")["id"] == ""
    assert show(deployment, "user", "nobody", "--category", "lamps")["id"] == "lamps"
    assert show(deployment, "user", "nobody", "--category", "pots")["id"] == ""
    assert show(deployment, "user", "solo", "--category", "lamps")["kind"] == "user"
    assert (show(deployment, "item", "new")["kind"], show(deployment, "item", "new")["id"]) == (
        "trending", "lamps",
    )  # fmt: skip
    assert show(deployment, "item", "c")["kind"] == "item"
    said = succeeded(deployment, "streamapp", "show", "item", "new")
    assert "item:new; readers then take:" in said
    done = deployment.run("streamapp", "show", "item", "nowhere")
    assert (done.returncode, "there is no list under" in done.stderr) == (1, True)

    deployment.env["STREAMAPP_TOP_N"] = "2"
    worker("two")
    await shown(deployment, {"tents": ["c", "d"], "lamps": ["a"]})
    await produce(deployment, [deleted("a"), product("b", category="tents")])
    await shown(deployment, {"tents": ["b", "c"]})
    await asyncio.to_thread(
        wait_until,
        lambda: asyncio.run(topic_as_keys(deployment)) == redis_lists(deployment),
        WITHIN_S,
        "the topic equals the keys",
    )


@pytest.mark.ci(reason="what trends in categories, of two workers, and after a rebuild")
def test_two_workers_agree_with_log_and_catalogue_also_after_a_rebuild(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """The audit also finds a list that should not exist; the topic equals the keys."""
    acts = list(synthetic(seed=91, events=4_000))
    log = write_log(tmp_path / "shop.csv", acts)
    worker("one")
    worker("two")
    succeeded(deployment, "loadtest", "replay", str(log), "--max")
    records = [product(f"sku-{number}", category=f"c{number % 7}") for number in range(0, 90, 2)]
    records += [product("sku-2", category="c9"), deleted("sku-4"), product("sku-6", category="c6",
                available=False), product("never-seen", category="c8")]  # fmt: skip
    asyncio.run(produce(deployment, records))
    wait_until(
        lambda: set(trending(deployment)) == {f"c{number}" for number in (*range(7), 9)},
        WITHIN_S,
        lambda: f"eight categories have a list, not {sorted(trending(deployment))}",
    )
    report = audited(deployment, [log])
    assert report["compared"]["trending in categories"] == 8
    assert asyncio.run(topic_as_keys(deployment)) == redis_lists(deployment)
    status = orjson.loads(succeeded(deployment, "streamapp", "status", "--json"))
    assert status["categories"] == 9
    size = orjson.loads(succeeded(deployment, "streamapp", "footprint", "--json"))
    assert (size["categories"], size["category lists"]["keys"]) == (9, 9)

    key = f"{deployment.env['STREAMAPP_LIST_PREFIX']}trending:c8"
    with deployment.redis() as redis:
        redis.set(key, redis.get(key.replace("c8", "c1")))
    done = deployment.run("streamapp", "audit", "--log", str(log), "--json")
    assert (done.returncode, orjson.loads(done.stdout)["differences"]) == (1, 1)
    with deployment.redis() as redis:
        redis.delete(key)

    assert [one.terminate() for one in deployment.workers] == [0, 0]
    rebuilt(deployment)
    assert trending(deployment) == {}
    worker("three")
    assert audited(deployment, [log])["compared"]["trending in categories"] == 8
    assert asyncio.run(topic_as_keys(deployment)) == redis_lists(deployment)
