"""Lists of ids alone: readers learn members and order, and everything else stays as it is."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from tests.integration.traffic import (
    audited,
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
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

StartWorker = Callable[..., Worker]
DETAILS = {"score", "support"}


def members(content: bytes) -> list[dict[str, Any]]:
    """Return the entries of a list without details."""
    return [
        {name: value for name, value in entry.items() if name not in DETAILS}
        for entry in orjson.loads(content)["items"]
    ]


def detail_keys(deployment: Deployment) -> int:
    """Return how many lists with details the state holds."""
    with deployment.redis() as redis:
        prefix = deployment.env["STREAMAPP_STATE_PREFIX"]
        return len(list(redis.scan_iter(f"{prefix}details*", count=10_000)))


def test_ids_are_those_of_full_lists_and_the_setting_may_change(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """The audit compares scores that readers do not see, and user lists are made of them."""
    deployment.env |= {"STREAMAPP_LIST_DETAILS": "ids", "STREAMAPP_BOUGHT_TOGETHER": "true"}
    log = write_log(tmp_path / "shop.csv", synthetic(seed=27, events=3_000))
    one = worker()
    succeeded(deployment, "loadtest", "replay", str(log), "--max")
    assert audited(deployment, [log])["compared"]["user lists"] > 0
    bare = redis_lists(deployment)
    assert asyncio.run(topic_as_keys(deployment)) == bare
    assert {name.partition(":")[0] for name in bare} == {
        "item", "user", "trending", "bought_together",
    }  # fmt: skip
    for content in bare.values():
        value = orjson.loads(content)
        assert "as_of" not in value
        assert not any(DETAILS & entry.keys() for entry in value["items"])
    user = next(name for name in bare if name.startswith("user:")).removeprefix("user:")
    said = succeeded(deployment, "streamapp", "show", "user", user)
    assert "because" in said
    assert "score" not in said
    assert detail_keys(deployment) == len(bare) + 1

    assert one.terminate() == 0
    deployment.env["STREAMAPP_LIST_DETAILS"] = "full"
    worker()
    audited(deployment, [log])
    full = redis_lists(deployment)
    assert all("as_of" in orjson.loads(content) for content in full.values())
    assert full.keys() == bare.keys()
    # User lists are blended from scores that are exact to LIST_TOLERANCE, and were published again.
    for name, content in full.items():
        assert name.startswith("user:") or members(content) == members(bare[name])
    assert asyncio.run(topic_as_keys(deployment)) == full
    assert detail_keys(deployment) == 0


def test_details_are_withdrawn_with_their_lists(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """A rebuild from histories withdraws some lists, and another one all lists."""
    deployment.env["STREAMAPP_LIST_DETAILS"] = "ids"
    with_catalogue(deployment)
    assert deployment.run("streamapp", "topics").returncode == 0
    asyncio.run(produce(deployment, [product(f"sku-{n}", category="a") for n in range(20)]))
    log = write_log(tmp_path / "shop.csv", synthetic(seed=28, events=1_000))
    one = worker()
    succeeded(deployment, "loadtest", "replay", str(log), "--max")
    audited(deployment, [log])
    lists = redis_lists(deployment)
    assert "trending:a" in lists
    assert one.terminate() == 0

    assert rebuilt(deployment, "--from-histories")["lists_removed"] > 0
    assert "trending:a" not in redis_lists(deployment)
    assert detail_keys(deployment) == len(redis_lists(deployment)) + 1
    two = worker("two")
    audited(deployment, [log])
    assert redis_lists(deployment).keys() == lists.keys()
    assert detail_keys(deployment) == len(lists) + 1
    assert asyncio.run(topic_as_keys(deployment)) == redis_lists(deployment)
    assert two.terminate() == 0

    assert rebuilt(deployment, "--drop-lists")["lists_removed"] == len(lists)
    assert redis_lists(deployment) == {}
    assert detail_keys(deployment) == 0
