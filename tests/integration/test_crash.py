"""A worker dies at any moment, again and again: each event counts once."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.traffic import (
    audited,
    redis_lists,
    succeeded,
    synthetic,
    topic_as_keys,
    write_log,
)
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker


@pytest.mark.parametrize(
    ("kills", "events"),
    [
        pytest.param(2, 12_000, marks=pytest.mark.kafka),
        pytest.param(10, 60_000, marks=pytest.mark.full),
    ],
)
def test_kills_at_random_moments_of_a_replay_change_nothing(
    deployment: Deployment,
    worker: Callable[..., Worker],
    tmp_path: Path,
    kills: int,
    events: int,
) -> None:
    """SIGKILL while events of two topics come in; a static member id lets it come back at once."""
    chance = random.Random(11)  # noqa: S311 - moments, not secrets
    log = write_log(tmp_path / "shop.csv", synthetic(seed=11, events=events))
    succeeded(deployment, "streamapp", "topics")
    one = worker(instance_id="one")
    replay = subprocess.Popen(
        [sys.executable, "-m", "loadtest", "replay", str(log), "--rate", "1500"],
        cwd=tmp_path,
        env=deployment.process_env,
        stdout=subprocess.DEVNULL,
    )
    for _ in range(kills):
        ends_at = time.monotonic() + chance.uniform(0.05, 1.5)
        while time.monotonic() < ends_at and one.running:
            time.sleep(0.01)
        assert one.running, one.output
        one.kill()
        one.start()
    assert replay.wait(120) == 0
    report = audited(deployment, [log])
    assert report["applied_events"] == events
    assert asyncio.run(topic_as_keys(deployment)) == redis_lists(deployment)


@pytest.mark.full
def test_a_worker_that_is_asked_to_end_stores_what_it_read(
    deployment: Deployment, worker: Callable[..., Worker], tmp_path: Path
) -> None:
    """SIGTERM under load: exit 0, and the next worker goes on exactly."""
    log = write_log(tmp_path / "shop.csv", synthetic(seed=12, events=30_000))
    one = worker(instance_id="one")
    succeeded(deployment, "loadtest", "replay", str(log), "--max")
    assert one.terminate() == 0
    one.start()
    audited(deployment, [log])
