"""An operator rebuilds: what would be lost is said first, and nothing happens by mistake."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from streamapp.transport.topics import administration
from tests.faults.shop import wait_applied
from tests.integration.traffic import Act, audited, event, produce, rebuilt, write_log
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

StartWorker = Callable[..., Worker]

ACTS = [
    Act(f"u{number % 3}", f"sku-{number}", "click", 1_700_000_000.0 + number)
    for number in range(12)
]
EVENTS = [event(act.user, act.item, ts=act.ts) for act in ACTS]


def content(deployment: Deployment) -> dict[bytes, Any]:
    """Return every key of the deployment, as the server dumps it."""
    keys = deployment.keys()
    with deployment.redis() as redis:
        return {key: redis.dump(key) for key in keys}


def refused(deployment: Deployment, code: int, *options: str) -> tuple[str, str]:
    """Run a rebuild that must change nothing, and return its output and its last line."""
    before = content(deployment)
    done = deployment.run("streamapp", "rebuild", *options)
    assert done.returncode == code, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("streamapp: ")
    assert content(deployment) == before
    return done.stdout, line


async def count_all(deployment: Deployment, worker: StartWorker) -> None:
    """Let a worker apply all events, and end."""
    one = worker()
    await produce(deployment, EVENTS)
    await asyncio.to_thread(wait_applied, deployment, len(EVENTS))
    assert await asyncio.to_thread(one.terminate) == 0


async def make_again(deployment: Deployment) -> None:
    """Delete the event topics, and make them again."""
    async with administration(deployment.settings) as admin:
        await admin.delete_topics(list(deployment.settings.event_topics))
    made = await asyncio.to_thread(deployment.run, "streamapp", "topics")
    assert made.returncode == 0, made.stderr


async def test_without_yes_it_says_what_would_happen_and_changes_nothing(
    deployment: Deployment, worker: StartWorker
) -> None:
    """Exit code 2; the keys of an app under a longer prefix are named, and they stay."""
    await count_all(deployment, worker)
    prefix = deployment.env["STREAMAPP_STATE_PREFIX"]
    nested = f"{prefix}staging:{{u0}}:head"
    with deployment.redis() as redis:
        redis.hset(nested, "position", 5)
        keys = sum(key.startswith(prefix.encode()) for key in redis.scan_iter())

    out, line = refused(deployment, 2, "--json")
    assert "nothing was changed" in line
    assert "repeat with --yes" in line
    plan = orjson.loads(out)
    assert plan["live_workers"] == []
    assert (plan["state_keys_to_remove"], plan["other_keys_that_stay"]) == (keys - 1, 1)
    assert plan["applied_events"] == plan["records_to_count"] == len(EVENTS)
    assert plan["records_lost"] == {}
    out, _ = refused(deployment, 2)
    assert "What a rebuild would do" in out

    done = rebuilt(deployment)
    assert (done["state_keys_removed"], done["other_keys_left"]) == (keys - 1, 1)
    with deployment.redis() as redis:
        assert redis.hget(nested, "position") == b"5"


async def test_what_kafka_no_longer_holds_has_to_be_given_up(
    deployment: Deployment, worker: StartWorker
) -> None:
    """The refusal names the topic and its records; the next rebuild has nothing to lose."""
    await count_all(deployment, worker)
    await make_again(deployment)
    clicks = f"{deployment.name}-clicks"

    out, line = refused(deployment, 2, "--json")
    assert orjson.loads(out)["records_lost"] == {clicks: len(EVENTS)}
    assert "repeat with --accept-loss --yes" in line
    assert rebuild_is_refused_for(deployment) == f"12 records of {clicks}"
    assert rebuilt(deployment, "--accept-loss")["records_lost"] == {clicks: len(EVENTS)}
    assert rebuilt(deployment)["records_lost"] == {}


def rebuild_is_refused_for(deployment: Deployment) -> str:
    """Return what would be lost, as the refusal with `--yes` names it."""
    _, line = refused(deployment, 1, "--yes")
    assert "repeat with --accept-loss" in line
    return line.partition("kafka no longer holds ")[2].partition(" that the state")[0]


@pytest.mark.kafka
@pytest.mark.full
async def test_records_that_retention_drops_are_named_and_counted(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """A topic that begins later; the new state counts what is there, and knows where it began."""
    if deployment.servers.backend == "embedded":
        pytest.skip("the embedded broker cannot drop records")
    deployment.env["STREAMAPP_PARTITIONS"] = "1"
    await count_all(deployment, worker)
    tp = TopicPartition(f"{deployment.name}-clicks", 0)
    async with administration(deployment.settings) as admin:
        await admin.delete_records({tp: RecordsToDelete(5)})

    assert rebuild_is_refused_for(deployment) == f"5 records of {tp.topic}"
    done = rebuilt(deployment, "--accept-loss", "--drop-lists")
    assert (done["records_lost"], done["records_to_count"]) == ({tp.topic: 5}, 7)
    two = worker("two")
    log = write_log(tmp_path / "left.csv", ACTS[5:])
    report = await asyncio.to_thread(audited, deployment, [log])
    assert report["applied_events"] == 7
    assert await asyncio.to_thread(two.terminate) == 0
    assert rebuilt(deployment)["records_lost"] == {}


@pytest.mark.kafka
@pytest.mark.full
def test_a_rebuild_beside_a_worker_is_refused_and_names_it(
    deployment: Deployment, worker: StartWorker
) -> None:
    """Kafka knows the worker until it ends, or until the session of a dead one is over."""
    if deployment.servers.backend == "embedded":
        pytest.skip("the embedded broker does not say which members are alive")
    one = worker(instance_id="one")
    done = deployment.run("streamapp", "rebuild", "--yes", "--accept-loss")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("streamapp: workers live: one-")
    assert " at " in line
    assert one.running
    shown = deployment.run("streamapp", "rebuild", "--json")
    assert [name[:4] for name in orjson.loads(shown.stdout)["live_workers"]] == ["one-"]
    one.kill()
    assert rebuilt(deployment)["records_lost"] == {}
