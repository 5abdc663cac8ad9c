"""Speed is a ratio in one run: a whole recommender against a Faust agent that does nothing."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faust.types import TP

from streamapp.eventlog import read_log
from streamapp.transport.offsets import read_offsets
from tests.integration.traffic import Act, audited, succeeded, synthetic, write_log
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

EVENTS = 80_000


def logs(tmp_path: Path) -> Path:
    """Return a log of sessions of a few clicks, as shops have them."""
    acts = (
        Act(f"s{number // 4}", act.item, "click", act.ts)
        for number, act in enumerate(synthetic(seed=21, events=EVENTS, items=3_000))
    )
    return write_log(tmp_path / "sessions.csv", acts)


def position(deployment: Deployment, kind: str) -> Iterator[tuple[bytes | None, ...]]:
    """Yield what matters of every head of a kind: positions, counters and what is pending."""
    with deployment.redis() as redis:
        for number in range(deployment.settings.partitions):
            key = f"{deployment.env['STREAMAPP_STATE_PREFIX']}{{{kind}{number}}}:head"
            yield tuple(redis.hmget(key, "position", "applied", "dirty"))


def applied(deployment: Deployment) -> int:
    """Return the interactions whose effect is in the state."""
    return sum(int(head[1] or 0) for head in position(deployment, "u"))


def lists_are_out(deployment: Deployment, expected: int, deltas: int) -> bool:
    """Say whether all interactions are applied, all deltas too, and no list is to be published."""
    if applied(deployment) < expected:
        return False
    heads = list(position(deployment, "i"))
    return sum(int(head[0] or 0) for head in heads) >= deltas and not any(h[2] for h in heads)


def rate_of_empty_agent(deployment: Deployment, events: int) -> float:
    """Return how many events a second Faust alone hands to an agent."""
    topics = ",".join(deployment.settings.event_topics)
    program = Path(__file__).with_name("empty_agent.py")
    arguments = [deployment.settings.broker_url, topics, f"{deployment.name}-empty", str(events)]
    done = subprocess.run(
        [sys.executable, str(program), *arguments],
        cwd=deployment.folder,
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    *_, last = done.stdout.splitlines()
    assert last.startswith("rate "), done.stderr
    return float(last.split()[1])


def rate_of_worker(deployment: Deployment, worker: Callable[..., Worker], events: int) -> float:
    """Return how many events a second go from the topics to the last list and fence."""
    worker()
    began_at = time.monotonic()
    wait_until(lambda: applied(deployment) >= events, 200, lambda: "all events are applied")
    ends = deltas_sent(deployment)
    wait_until(lambda: lists_are_out(deployment, events, ends), 200, lambda: "all lists are out")
    return events / (time.monotonic() - began_at)


def deltas_sent(deployment: Deployment) -> int:
    """Return how many messages the deltas topic holds."""
    settings = deployment.settings
    tps = [TP(settings.deltas_topic, number) for number in range(settings.partitions)]
    return sum(known.end for known in asyncio.run(read_offsets(settings, tps, {})).values())


@pytest.mark.parametrize("source", ["sessions", "rsc15-100k"])
def test_a_worker_is_not_slower_than_an_agent_that_does_nothing(
    deployment: Deployment,
    worker: Callable[..., Worker],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    source: str,
) -> None:
    """From a full topic to the last list and fence, against reading the same topic."""
    if source == "sessions":
        log = logs(tmp_path)
    else:
        log = request.getfixturevalue("event_logs") / source / "events.csv.gz"
    events = sum(1 for _ in read_log([log]))
    succeeded(deployment, "streamapp", "topics")
    succeeded(deployment, "loadtest", "replay", str(log), "--max")
    empty = rate_of_empty_agent(deployment, events)
    whole = rate_of_worker(deployment, worker, events)
    print(f"{source}: worker {whole:,.0f}/s, empty agent {empty:,.0f}/s, {whole / empty:.1f} times")  # noqa: T201
    audited(deployment, [log])
    assert whole >= empty
