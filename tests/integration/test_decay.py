"""Interactions fade: a worker dies, and lists still follow the plain definition."""

import asyncio
import math
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import pytest

from tests.integration.traffic import (
    Act,
    audited,
    event,
    produce,
    redis_lists,
    succeeded,
    synthetic,
    topic_as_keys,
    write_log,
)
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker
from tests.support import oracle

DAY_S = 86_400.0
YEAR_S = 365.25 * DAY_S
WEIGHTS = {"click": 1.0, "add_to_cart": 3.0, "purchase": 5.0}


@pytest.fixture(autouse=True)
def _on(deployment: Deployment) -> None:
    deployment.env["STREAMAPP_HALF_LIFE"] = str(DAY_S)


def over_years(acts: list[Act]) -> list[Act]:
    """Return acts of minutes as acts of ten years, with each user's order kept."""
    first, last = min(act.ts for act in acts), max(act.ts for act in acts)
    stretch = 10 * YEAR_S / (last - first)
    return [act._replace(ts=1_400_000_000.0 + (act.ts - first) * stretch) for act in acts]


async def send(deployment: Deployment, acts: list[Act]) -> None:
    """Produce acts."""
    await produce(deployment, [event(a.user, a.item, type=a.type, ts=a.ts) for a in acts])


@pytest.mark.ci(reason="deaths while interactions fade, are evicted and forgotten")
async def test_ten_years_of_a_half_life_of_a_day_and_a_worker_that_is_killed(
    deployment: Deployment, tmp_path: Path
) -> None:
    """Evictions, late events, forgotten users, baskets: audit and oracle count the same."""
    deployment.env["STREAMAPP_HISTORY_CAP"] = "8"
    deployment.env["STREAMAPP_FORGET_AFTER"] = str(4 * YEAR_S)
    deployment.env["STREAMAPP_BOUGHT_TOGETHER"] = "true"
    acts = over_years(list(synthetic(seed=5, events=3_000, users=120, items=40, orders=3)))
    log = write_log(tmp_path / "years.csv", acts)
    succeeded(deployment, "streamapp", "topics")
    sent = [event(a.user, a.item, type=a.type, ts=a.ts, order_id=a.order) for a in acts]
    places = ("neighbours.rows-put:2", "histories.blobs-put:1", "neighbours.deltas-applied:3")
    for start, place in zip(range(0, len(sent), 1_000), places, strict=True):
        await produce(deployment, sent[start : start + 1_000])
        one = deployment.idle_worker(instance_id="one", failpoint=place)
        one.launch()
        assert await asyncio.to_thread(one.wait, 60) == -signal.SIGKILL
    deployment.worker(instance_id="one")
    report = await asyncio.to_thread(audited, deployment, [log])
    assert report["applied_events"] == len(acts)
    assert report["compared"]["dots"] > 500
    assert report["compared"]["bought_together dots"] > 0
    assert await topic_as_keys(deployment) == redis_lists(deployment)


async def test_the_lists_are_those_of_the_definition_and_commands_say_what_they_are_made_of(
    deployment: Deployment, worker: Callable[..., Worker], tmp_path: Path
) -> None:
    """Export and explain give sums as of the newest event, whose cosine is the score."""
    shop = synthetic(seed=6, events=250, users=20, items=12)
    acts = [act._replace(ts=1_600_000_000.0 + 3_600.0 * n) for n, act in enumerate(shop)]
    deployment.env["STREAMAPP_LIST_TOLERANCE"] = "0"
    worker()
    await send(deployment, acts)
    await asyncio.to_thread(audited, deployment, [write_log(tmp_path / "log.csv", acts)])
    plain = [oracle.Act(a.user, a.item, WEIGHTS[a.type], a.ts) for a in acts]
    want = oracle.faded(plain, 100, DAY_S, 100)
    lists = redis_lists(deployment)
    for item, entries in want.items():
        found = {one["id"]: one for one in orjson.loads(lists[f"item:{item}"])["items"]}
        assert set(found) == {other for other, _, _ in entries}
        for other, score, support in entries:
            assert math.isclose(found[other]["score"], score, rel_tol=0, abs_tol=1e-9)
            assert found[other]["support"] == support

    left, (right, score, support) = next((item, some[0]) for item, some in want.items())
    told = orjson.loads(succeeded(deployment, "streamapp", "explain", left, right, "--json"))
    assert told["as_of"] == acts[-1].ts
    assert (told["support"], told["score"]) == (support, pytest.approx(score, abs=1e-9))
    assert told["dot"] / math.sqrt(math.prod(told["sum_sq"])) == pytest.approx(score, abs=1e-9)
    assert f"{acts[-1].ts:.0f}" in succeeded(deployment, "streamapp", "explain", left, right)

    succeeded(deployment, "streamapp", "export", str(tmp_path / "counts.npz"))
    with np.load(tmp_path / "counts.npz") as file:
        counts = {name: file[name] for name in file.files}
    assert counts["as_of"] == acts[-1].ts
    items = counts["items"].tolist()
    rows = np.repeat(np.arange(len(items)), np.diff(counts["indptr"]))
    norms = np.sqrt(counts["sum_sq"])
    for row, other, dot in zip(rows, counts["indices"], counts["data"], strict=True):
        scores = {name: score for name, score, _ in want[items[row]]}
        cosine = dot / (norms[row] * norms[other])
        assert cosine == pytest.approx(scores[items[other]], abs=1e-9)
    faded = [2 ** ((act.ts - acts[-1].ts) / DAY_S) * act.weight for act in plain]
    best: dict[tuple[str, str], float] = {}
    for act, worth in zip(plain, faded, strict=True):
        best[act.user, act.item] = max(best.get((act.user, act.item), 0.0), worth)
    total = math.fsum(worth**2 for (_, item), worth in best.items() if item == left)
    assert counts["sum_sq"][items.index(left)] == pytest.approx(total, rel=1e-9)
    assert told["sum_sq"][0] == pytest.approx(total, rel=1e-9)
    status = orjson.loads(succeeded(deployment, "streamapp", "status", "--json"))
    assert (status["items"], status["users"]) == (len(items), len({act.user for act in acts}))
    assert orjson.loads(succeeded(deployment, "streamapp", "footprint", "--json"))["history"] == (
        pytest.approx(len({(act.user, act.item, act.type) for act in acts}) / status["users"])
    )


async def test_what_was_bought_years_ago_is_not_shown_again(
    deployment: Deployment, worker: Callable[..., Worker], tmp_path: Path
) -> None:
    """The purchase has faded below any click of today, and is still a purchase."""
    deployment.env["STREAMAPP_USER_EXCLUDE"] = "bought"
    deployment.env["STREAMAPP_USER_LIST_TTL"] = "86400"
    now = 1_700_000_000.0
    acts = [
        Act("ann", "tent", "purchase", now - 9 * YEAR_S),
        Act("ann", "tent", "click", now - 60),
        Act("ann", "stove", "click", now - 30),
        Act("ann", "lamp", "click", now),
        *(Act("ben", item, "click", now) for item in ("tent", "stove", "lamp", "boots")),
    ]
    worker()
    await send(deployment, acts)
    report = await asyncio.to_thread(audited, deployment, [write_log(tmp_path / "log.csv", acts)])
    assert report["compared"]["user lists"] == 2
    mine = orjson.loads(redis_lists(deployment)["user:ann"])["items"]
    assert {one["id"] for one in mine if one["reason"] == "similar"} == {"boots", "stove", "lamp"}
    assert "tent" not in {one["id"] for one in mine}


async def test_a_worker_with_another_half_life_is_refused(
    deployment: Deployment, worker: Callable[..., Worker]
) -> None:
    """So is a command that would misread the state."""
    one = worker()
    at = 1_700_000_000.0
    await send(deployment, [Act("ann", item, "click", at) for item in ("tent", "stove")])
    await asyncio.to_thread(succeeded, deployment, "streamapp", "export", "/dev/null")
    assert one.terminate() == 0
    deployment.env["STREAMAPP_HALF_LIFE"] = "0"
    other = deployment.idle_worker("other")
    other.launch()
    assert await asyncio.to_thread(other.wait, 60) != 0
    assert "STREAMAPP_HALF_LIFE was 86400.0, is null" in other.output
    for arguments in (("status",), ("explain", "tent", "stove")):
        refused = deployment.run("streamapp", *arguments)
        assert refused.returncode != 0
        assert "STREAMAPP_HALF_LIFE" in refused.stderr
