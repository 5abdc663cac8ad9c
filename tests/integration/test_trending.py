"""Trending items: one list from all shards, which also fills user lists."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.integration.traffic import (
    audited,
    event,
    produce,
    redis_lists,
    succeeded,
    synthetic,
    topic_as_keys,
    write_log,
)
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

StartWorker = Callable[..., Worker]

NOW = 1_700_000_000.0
HALF_LIFE_S = 1_000.0


def shown(deployment: Deployment, name: str) -> dict[str, Any]:
    """Return a list by its name; empty without one."""
    value = redis_lists(deployment).get(name)
    return orjson.loads(value) if value else {}


def scores(deployment: Deployment) -> list[tuple[str, float]]:
    """Return the trending items and their popularity."""
    return [
        (entry["id"], entry["score"]) for entry in shown(deployment, "trending").get("items", [])
    ]


async def test_weights_fade_by_half_lives_and_the_key_has_the_documented_form(
    deployment: Deployment, worker: StartWorker
) -> None:
    """Late events add their share; every repeated event adds; ties are in order of ids."""
    deployment.env["STREAMAPP_TRENDING_HALF_LIFE"] = str(HALF_LIFE_S)
    deployment.env["STREAMAPP_TRENDING_REPEATS"] = "all"
    worker()
    await produce(
        deployment,
        [
            event("u1", "b", ts=NOW),
            event("u2", "a", ts=NOW),
            event("u2", "late", ts=NOW - HALF_LIFE_S, type="purchase"),
            event("u3", "old", ts=NOW - 2 * HALF_LIFE_S),
            event("u3", "old", ts=NOW - 2 * HALF_LIFE_S),
        ],
    )
    expected = [("late", 2.5), ("a", 1.0), ("b", 1.0), ("old", 0.5)]
    await asyncio.to_thread(wait_until, lambda: scores(deployment) == expected, 20, "all are there")
    got = shown(deployment, "trending")
    assert list(got) == ["v", "kind", "id", "seq", "as_of", "items"]
    assert (got["v"], got["kind"], got["id"], got["as_of"]) == (1, "trending", "", NOW)

    await produce(deployment, [event("u4", "old", ts=NOW + HALF_LIFE_S)])
    expected = [("late", 1.25), ("old", 1.25), ("a", 0.5), ("b", 0.5)]
    await asyncio.to_thread(wait_until, lambda: scores(deployment) == expected, 20, "it has faded")
    assert shown(deployment, "trending")["seq"] > got["seq"]


async def test_lists_that_are_short_are_filled_and_nobody_reads_nothing(
    deployment: Deployment, worker: StartWorker
) -> None:
    """Without neighbours, unseen trending items; without a list, all trending items."""
    deployment.env["STREAMAPP_TOP_N"] = "3"
    worker()
    await produce(
        deployment,
        [event(user, item, ts=NOW) for user, item in zip("pqrst", "aabbc", strict=True)]
        + [event("u", "d", ts=NOW), event("u", "e", ts=NOW), event("v", "e", ts=NOW)],
    )

    def list_for(user: str) -> list[tuple[str, str, str | None]]:
        entries = shown(deployment, f"user:{user}").get("items", [])
        return [(entry["id"], entry["reason"], entry.get("because")) for entry in entries]

    expected = [("d", "similar", "e"), ("a", "trending", None), ("b", "trending", None)]
    await asyncio.to_thread(wait_until, lambda: list_for("v") == expected, 30, "v's list is filled")
    await asyncio.to_thread(
        wait_until,
        lambda: list_for("p") == [("b", "trending", None), ("e", "trending", None)],
        30,
        "p's list has what trends and was not seen",
    )
    said = succeeded(deployment, "streamapp", "show", "user", "nobody")
    assert "There is no list under" in said
    assert succeeded(deployment, "streamapp", "show", "user", "nobody", "--json") == succeeded(
        deployment, "streamapp", "show", "trending", "--json"
    )


@pytest.mark.parametrize("half_life_s", [pytest.param("0", marks=pytest.mark.full), "5000"])
def test_a_shop_of_two_workers_agrees_with_the_sum_over_its_log(
    deployment: Deployment, worker: StartWorker, tmp_path: Path, half_life_s: str
) -> None:
    """The audit adds it up, the topic equals the keys; without a half-life there is no list."""
    deployment.env["STREAMAPP_TRENDING_HALF_LIFE"] = half_life_s
    log = write_log(tmp_path / "shop.csv", synthetic(seed=71, events=6_000))
    worker()
    worker()
    succeeded(deployment, "loadtest", "replay", str(log), "--max")
    compared: Any = audited(deployment, [log])["compared"]
    assert compared["trending"] == (half_life_s != "0")
    lists = redis_lists(deployment)
    assert ("trending" in lists) == (half_life_s != "0")
    assert asyncio.run(topic_as_keys(deployment)) == lists


async def test_a_script_that_clicks_one_item_adds_once(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """A purchase adds, and the next day; the audit agrees."""
    deployment.env["STREAMAPP_LIST_TOLERANCE"] = "0"
    worker()
    day = NOW // 86_400 * 86_400
    script = [event("s", "spam", ts=day + second) for second in range(2_000)]
    await produce(deployment, script)
    spam = [("spam", 1.0)]
    await asyncio.to_thread(wait_until, lambda: scores(deployment) == spam, 20, "one click counts")
    more = [
        event("s", "spam", ts=day + 2_000, type="purchase"),
        event("s", "spam", ts=day + 2_001, type="purchase"),
        event("s", "spam", ts=day + 86_400.0),
        event("t", "fair", ts=day + 86_400.0, type="purchase"),
        event("v", "fair", ts=day + 86_400.0, type="purchase"),
    ]
    await produce(deployment, more)
    score = 1 + 0.5 + 5 * 2 ** (2_000 / 86_400 - 1)
    expected = [("fair", 10.0), ("spam", pytest.approx(score))]
    await asyncio.to_thread(wait_until, lambda: scores(deployment) == expected, 20, "all are there")
    log = tmp_path / "script.jsonl"
    log.write_bytes(b"".join((one.value or b"") + b"\n" for one in [*script, *more]))
    audited(deployment, [log])


def test_another_rule_of_repeats_is_refused_with_what_to_do(
    deployment: Deployment, worker: StartWorker
) -> None:
    """What was added under one rule cannot be taken back under the other."""
    assert worker().terminate() == 0
    deployment.env["STREAMAPP_TRENDING_REPEATS"] = "all"
    two = deployment.idle_worker("two")
    two.launch()
    assert two.wait(60) == 1
    assert 'STREAMAPP_TRENDING_REPEATS was "daily", is "all"' in two.output
    assert "streamapp rebuild" in two.output


def test_another_half_life_is_refused_with_what_to_do(
    deployment: Deployment, worker: StartWorker
) -> None:
    """Popularity of two half-lives cannot be added up."""
    one = worker()
    assert one.terminate() == 0
    deployment.env["STREAMAPP_TRENDING_HALF_LIFE"] = "60"
    two = deployment.idle_worker("two")
    two.launch()
    assert two.wait(60) == 1
    assert "STREAMAPP_TRENDING_HALF_LIFE was 86400.0, is 60.0" in two.output
    assert "streamapp rebuild" in two.output
