"""An operator lists, shows and replays dead letters, and everything is exact in the end."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from streamapp.transport.topics import administration
from tests.integration.traffic import (
    Sent,
    audited,
    event,
    produce,
    read_topic,
    rebuilt,
    redis_lists,
    succeeded,
)
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

StartWorker = Callable[..., Worker]

CALL = {
    "type": "track",
    "event": "Product Viewed",
    "userId": "ann",
    "timestamp": 1_700_000_060,
    "properties": {"product_id": "stove"},
}


def deadletters(deployment: Deployment, *arguments: str) -> Any:
    """Run a command of `streamapp deadletters`, and return its JSON."""
    return orjson.loads(
        succeeded(deployment, "streamapp", "deadletters", *arguments, "--json", within_s=60)
    )


def wait_for_letters(deployment: Deployment, number: int) -> dict[str, Any]:
    """Return what `list` says as soon as there are so many letters."""

    def listed() -> dict[str, Any] | None:
        found: dict[str, Any] = deadletters(deployment, "list")
        return found if found["letters"] >= number else None

    found = wait_until(listed, 60, f"{number} dead letters")
    assert found is not None
    assert found["letters"] == number
    return found


async def forget_events(deployment: Deployment) -> None:
    """Make the event topics empty, as their retention does."""
    topics = list(deployment.settings.event_topics)
    async with administration(deployment.settings) as admin:
        await admin.delete_topics(topics)


async def test_refused_events_are_replayed_when_the_settings_are_right_and_count_exactly(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """Kafka no longer holds the events, so that a rebuild alone does not bring them back."""
    clicks = f"{deployment.name}-clicks"
    first = worker()
    assert "no dead letter lies in" in succeeded(deployment, "streamapp", "deadletters", "list")
    mismatched = event("ann", "tent")._replace(key=b"another tracker's key")
    await produce(
        deployment,
        [mismatched, Sent(orjson.dumps(CALL), b"ann"), Sent(b'{"user_id": ', b"ann")],
    )
    listed = await asyncio.to_thread(wait_for_letters, deployment, 3)
    groups = {one["code"]: one for one in listed["groups"]}
    assert {(one["topic"], one["code"], one["letters"]) for one in groups.values()} == {
        (clicks, "key_mismatch", 1),
        (clicks, "not_json", 1),
        (clicks, "other_format", 1),
    }
    shown = deadletters(deployment, "show", groups["key_mismatch"]["example"])
    assert shown["value"].encode() == mismatched.value
    assert (shown["key"], shown["replays"]) == ("another tracker's key", 0)
    newest = succeeded(deployment, "streamapp", "deadletters", "show", "--code", "other_format")
    assert newest.endswith(orjson.dumps(CALL).decode() + "\n")
    nothing = deadletters(deployment, "replay")
    assert (nothing["sent"], nothing["not_sent"]) == (0, 3)

    assert first.terminate() == 0
    deployment.env |= {
        "STREAMAPP_KEY_MISMATCH": "accept",
        "STREAMAPP_EVENT_FORMATS": f"{clicks}=auto",
    }
    await forget_events(deployment)
    succeeded(deployment, "streamapp", "topics")
    lost = rebuilt(deployment, "--accept-loss")["records_lost"]
    assert lost == {clicks: 3}
    worker("second")
    would = deadletters(deployment, "replay", "--dry-run")
    did = deadletters(deployment, "replay")
    assert would == {**did, "dry_run": True}
    assert did["sent"] == 2
    assert [one["reason"] for one in did["reasons"]] == ["refused_again:not_json"]

    log = tmp_path / "log.jsonl"
    log.write_bytes(b"\n".join([mismatched.value or b"", orjson.dumps(CALL)]))
    report = await asyncio.to_thread(audited, deployment, [log])
    assert report["applied_events"] == report["interactions"] == 2
    assert {"item:tent", "item:stove"} <= set(redis_lists(deployment))
    replayed = await read_topic(deployment, clicks)
    assert {record.value for record in replayed} == {mismatched.value, orjson.dumps(CALL)}
    assert len(replayed) == 2
    assert {dict(record.headers)["replay.count"] for record in replayed} == {b"1"}


@pytest.mark.ci(reason="a replay that fails again and again")
async def test_a_record_that_fails_each_time_brings_its_count_back_and_is_refused_in_the_end(
    deployment: Deployment, worker: StartWorker
) -> None:
    """The worker still has the settings that refuse the record."""
    worker()
    await produce(deployment, [event("ann", "tent")._replace(key=b"someone else")])
    # From here on only the commands have it.
    deployment.env["STREAMAPP_KEY_MISMATCH"] = "accept"
    for replays in range(3):
        listed = await asyncio.to_thread(wait_for_letters, deployment, replays + 1)
        (address,) = [one["address"] for one in listed["newest"] if one["replays"] == replays]
        assert deadletters(deployment, "replay", address)["sent"] == 1
    await asyncio.to_thread(wait_for_letters, deployment, 4)
    # Those that came back on the way may be sent again, and the last one may not.
    would = deadletters(deployment, "replay", "--dry-run")
    assert [(one["replay_count"], one["records"]) for one in would["records"]] == [
        (1, 1), (2, 1), (3, 1),
    ]  # fmt: skip
    assert [one["reason"] for one in would["reasons"]] == ["replayed_often"]
