"""The main job: events go into Kafka, exact lists come out of Redis and of the output topic."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.integration.traffic import (
    Act,
    Sent,
    audited,
    event,
    produce,
    rebuilt,
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


def list_of(deployment: Deployment, item: str) -> dict[str, Any]:
    """Return the list of an item; empty without one."""
    value = redis_lists(deployment).get(f"item:{item}")
    return orjson.loads(value) if value else {}


def lag_of(deployment: Deployment) -> int:
    """Return how many records are beyond the stored positions."""
    status = orjson.loads(succeeded(deployment, "streamapp", "status", "--json"))
    return int(status["lag_events"])


@pytest.mark.kafka
async def test_a_click_changes_what_the_next_shopper_sees(
    deployment: Deployment, worker: StartWorker
) -> None:
    """Two items of one user become neighbours; the key has the documented form, to the byte."""
    worker()
    await produce(deployment, [event("u1", "a"), event("u1", "b", ts=1_700_000_001.5)])
    wait_until(
        lambda: list_of(deployment, "a") and list_of(deployment, "b"), 20, lambda: "both have lists"
    )
    assert list_of(deployment, "a")["items"] == [{"id": "b", "score": 1.0, "support": 1}]

    await produce(deployment, [event("u2", "a"), event("u2", "c")])
    wait_until(
        lambda: len(list_of(deployment, "a")["items"]) == 2, 20, lambda: "a has two neighbours"
    )
    raw = redis_lists(deployment)["item:a"]
    got = orjson.loads(raw)
    assert list(got) == ["v", "kind", "id", "seq", "as_of", "items"]
    assert (got["v"], got["kind"], got["id"], got["as_of"]) == (1, "item", "a", 1_700_000_001.5)
    assert got["items"] == [
        {"id": "b", "score": 1 / 2**0.5, "support": 1},
        {"id": "c", "score": 1 / 2**0.5, "support": 1},
    ]
    assert raw == orjson.dumps(got)


async def test_a_shard_at_rest_is_stored_however_long_it_is_to_the_next_checkpoint(
    deployment: Deployment, worker: StartWorker
) -> None:
    """So a worker that dies in a quiet hour leaves nothing to count again."""
    deployment.env["STREAMAPP_CHECKPOINT_INTERVAL"] = "3600"
    worker()
    for number in range(3):
        await produce(deployment, [event("u1", f"a{number}"), event("u1", f"b{number}")])
        await asyncio.to_thread(wait_until, lambda: not lag_of(deployment), 30, "all is stored")
        assert len(list_of(deployment, f"a{number}")["items"]) == 2 * number + 1


async def test_every_shape_of_an_event_counts_and_status_says_what_was_done(
    deployment: Deployment, worker: StartWorker
) -> None:
    """Arrays, envelopes, aliases, implied types; unknown types are skipped and counted by type."""
    worker()
    many = [orjson.loads(event("u1", item).value or b"") for item in "abc"]
    await produce(
        deployment,
        [
            Sent(orjson.dumps(many), b"u1"),
            Sent(orjson.dumps({"events": many[:2]}), b"u1"),
            event("u1", "d", type="addtocart"),
            event("u1", "e", type="scroll"),
            Sent(event("u1", "a").value, b"u1", "purchases"),
        ],
    )

    def is_stored() -> bool:
        """Return whether histories hold seven interactions, and rows the last of their pairs."""
        status = orjson.loads(succeeded(deployment, "streamapp", "status", "--json"))
        return bool(status["applied_events"] >= 7 and status["pairs"] >= 6)

    await asyncio.to_thread(wait_until, is_stored, 30, "seven interactions and six pairs")
    status = orjson.loads(succeeded(deployment, "streamapp", "status", "--json"))
    assert (status["users"], status["items"], status["pairs"]) == (1, 4, 6)
    assert (status["applied_events"], status["dead_letters"]) == (7, 0)
    assert status["skipped"] == {"scroll": 1}
    explained = orjson.loads(succeeded(deployment, "streamapp", "explain", "a", "d", "--json"))
    assert (explained["dot"], explained["support"]) == (15, 1)
    assert (explained["users"], explained["confidence"], explained["lift"]) == (
        [1, 1, 1],
        [1, 1],
        1,
    )


@pytest.mark.kafka
async def test_what_trackers_compress_counts_like_anything_else(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """With each codec of Kafka; a batch that cannot be read would stop its partition."""
    worker()
    acts: list[Act] = []
    for place, codec in enumerate(("gzip", "snappy", "lz4", "zstd")):
        some = [Act(f"u{n % 5}", f"{codec}-{n % 7}", "click", 1.7e9 + place) for n in range(40)]
        sent = [event(act.user, act.item, type=act.type, ts=act.ts) for act in some]
        await produce(deployment, sent, codec)
        acts += some
    log = write_log(tmp_path / "log.csv", acts)
    await asyncio.to_thread(audited, deployment, [log])
    status = orjson.loads(succeeded(deployment, "streamapp", "status", "--json"))
    assert (status["items"], status["applied_events"]) == (28, 160)


@pytest.mark.parametrize(
    ("cap", "measure"),
    [
        pytest.param(100, "cosine", marks=pytest.mark.kafka),
        pytest.param(5, "cosine", marks=pytest.mark.full),
        (5, "jaccard"),
    ],
)
def test_a_synthetic_shop_is_counted_exactly_and_the_topic_equals_the_keys(
    deployment: Deployment, worker: StartWorker, tmp_path: Path, cap: int, measure: str
) -> None:
    """The audit finds no difference, the topic equals Redis, and a score is explained."""
    deployment.env |= {
        "STREAMAPP_HISTORY_CAP": str(cap),
        "STREAMAPP_MEASURE": measure,
        "STREAMAPP_LIST_TOLERANCE": "0",
    }
    log = write_log(tmp_path / "shop.csv", synthetic(seed=cap, events=10_000))
    worker()
    one_topic = ("--topic", f"{deployment.name}-clicks") if cap < 100 else ()
    succeeded(deployment, "loadtest", "replay", str(log), "--max", *one_topic)
    report = audited(deployment, [log])
    assert report["applied_events"] == 10_000
    lists = redis_lists(deployment)
    assert asyncio.run(topic_as_keys(deployment)) == lists
    last = orjson.loads(lists["item:sku-0"])["items"][-1]
    told = orjson.loads(
        succeeded(deployment, "streamapp", "explain", "sku-0", last["id"], "--json")
    )
    assert (told["measure"], told["score"]) == (measure, last["score"])


REAL = [
    (name, cap)
    for name in ("rsc15-100k", "online-retail", "otto-mini")
    for cap in ("100000", "100", "10")
]
_WHERE = {
    ("otto-mini", "10"): (),
    ("rsc15-100k", "100"): (pytest.mark.ci(reason="many real sessions, of the default cap"),),
}


@pytest.mark.parametrize(
    ("name", "cap"),
    [
        pytest.param(*case, marks=_WHERE.get(case, pytest.mark.full), id="-cap-".join(case))
        for case in REAL
    ],
)
def test_a_real_log_is_counted_exactly_and_the_topic_equals_the_keys(
    deployment: Deployment, worker: StartWorker, event_logs: Path, name: str, cap: str
) -> None:
    """Real events with every cap; if histories overflow, in one topic, because order counts."""
    deployment.env["STREAMAPP_HISTORY_CAP"] = cap
    log = event_logs / name / "events.csv.gz"
    worker()
    one_topic = ("--topic", f"{deployment.name}-clicks") if cap == "10" else ()
    succeeded(deployment, "loadtest", "replay", str(log), "--max", *one_topic)
    audited(deployment, [log])
    assert asyncio.run(topic_as_keys(deployment)) == redis_lists(deployment)


def test_a_list_of_an_item_that_no_event_names_is_a_difference(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """No shard knows the item, so no shard would ever withdraw its list."""
    log = write_log(tmp_path / "shop.csv", synthetic(seed=32, events=500))
    worker()
    succeeded(deployment, "loadtest", "replay", str(log), "--max")
    audited(deployment, [log])
    with deployment.redis() as redis:
        left = deployment.env["STREAMAPP_LIST_PREFIX"] + "item:left-behind"
        redis.set(left, redis_lists(deployment)["item:sku-0"])
    done = deployment.run("streamapp", "audit", "--log", str(log), "--json")
    assert done.returncode == 1, done.stdout + done.stderr
    (example,) = orjson.loads(done.stdout)["examples"]
    assert example["where"] == "list of left-behind"


@pytest.mark.ci(
    reason="lists of every kind of key after a rebuild, and no list after one that drops them"
)
def test_a_state_that_is_gone_stops_the_worker_and_rebuild_counts_again(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """Redis lost everything: a clear stop, one command, and exact counts with a rising `seq`."""
    log = write_log(tmp_path / "shop.csv", synthetic(seed=31, events=5_000))
    one = worker()
    succeeded(deployment, "loadtest", "replay", str(log), "--max")
    audited(deployment, [log])
    before = redis_lists(deployment)
    assert one.terminate() == 0

    with deployment.redis() as redis:
        for key in redis.scan_iter(f"{deployment.env['STREAMAPP_STATE_PREFIX']}*"):
            redis.unlink(key)
    one.launch()
    assert one.wait(60) == 1
    assert "streamapp rebuild" in one.output.splitlines()[-1]

    assert rebuilt(deployment)["records_to_count"] == 5_000
    one.start()
    report = audited(deployment, [log])
    assert report["applied_events"] == 5_000
    after = redis_lists(deployment)
    assert set(after) == set(before)
    for key, list_before in before.items():
        seq, seq_before = (orjson.loads(one)["seq"] for one in (after[key], list_before))
        # A user list with the same entries is not replaced.
        assert seq > seq_before or (key.startswith("user:") and after[key] == list_before)
    assert asyncio.run(topic_as_keys(deployment)) == after

    assert one.terminate() == 0
    assert rebuilt(deployment, "--drop-lists")["lists_removed"] == len(after)
    assert redis_lists(deployment) == asyncio.run(topic_as_keys(deployment)) == {}
