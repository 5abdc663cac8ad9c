"""Visitors log in while a worker dies, and every history is counted once, under one id."""

import asyncio
import random
import signal
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.integration.traffic import Sent, audited, produce, read_topic, redis_lists, synthetic
from tests.servers.deployment import Deployment

_DIES_S = 90.0
_EVENTS = 400
_DEATHS = (
    "histories.transfers-sent:1",
    "histories.deltas-sent:1",
    "histories.blobs-put:1",
    "histories.position-moved:1",
    "intake.cut-sent:1",
    "histories.transfers-sent:2",
)

KINDS = ("bought_together", "bought_after_view")


def visits(seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield keys and events of users who are anonymous before they log in, and come back so.

    Some visitors have two anonymous ids, the first of which is merged into the second.
    """
    chance = random.Random(seed)  # noqa: S311 - a shop, not a secret
    for act in synthetic(seed, 1_000_000, users=80):
        user = f"anon-{act.user}" if chance.random() < 0.5 else act.user
        yield user, {"user_id": user, "item_id": act.item, "type": act.type, "ts": act.ts}
        if chance.random() < 0.1:
            anon = f"anon-{act.user}"
            if chance.random() < 0.3:
                yield anon, {"type": "merge", "user_id": f"second-{act.user}", "from": anon}
                anon = f"second-{act.user}"
            yield anon, {"type": "merge", "user_id": act.user, "from": anon}


def merged_away(events: list[dict[str, Any]]) -> set[str]:
    """Return who was merged and did not come back."""
    gone: set[str] = set()
    for event in events:
        if event["type"] == "merge":
            gone.add(event["from"])
        gone.discard(event["user_id"])
    return gone


@pytest.mark.full
def test_deaths_of_a_worker_merge_no_history_twice(deployment: Deployment, tmp_path: Path) -> None:
    """SIGKILL at every failpoint between two partitions; then all kinds of lists are exact."""
    deployment.env |= {f"STREAMAPP_{kind.upper()}": "true" for kind in KINDS}
    made = deployment.run("streamapp", "topics")
    assert made.returncode == 0, made.stderr
    source = visits(5)
    events: list[dict[str, Any]] = []

    def sell() -> None:
        some = list(islice(source, _EVENTS))
        events.extend(event for _, event in some)
        asyncio.run(
            produce(deployment, [Sent(orjson.dumps(event), key.encode()) for key, event in some])
        )

    for place in _DEATHS:
        sell()
        one = deployment.idle_worker("one", instance_id="one", failpoint=place)
        one.launch()
        assert one.wait(_DIES_S) == -signal.SIGKILL, place
    sell()
    deployment.worker("last", instance_id="one")
    log = tmp_path / "visits.jsonl"
    log.write_bytes(b"\n".join(map(orjson.dumps, events)))
    report = audited(deployment, [log])
    assert (report["refused"], report["skipped"]) == ({}, {})
    assert report["applied_events"] == len(events)
    for kind in KINDS:
        assert report["compared"][f"{kind} dots"] > 0
    gone = {f"user:{user}" for user in merged_away(events)}
    assert len(gone) > 20
    assert not gone & set(redis_lists(deployment))
    last = {one.key.decode(): one.value
            for one in asyncio.run(read_topic(deployment, f"{deployment.name}-lists"))}  # fmt: skip
    assert {user for user in gone if last.get(user, b"") is not None} == set()
