"""Speed is a ratio in one run: a whole recommender against a Faust agent that does nothing.

The figures come from the benchmark, so the test and the benchmark measure the same.
"""

from pathlib import Path

import pytest

from loadtest.bench.app_run import audited, drain
from loadtest.bench.bench import Bench
from loadtest.bench.bench_env import BenchEnv
from loadtest.bench.contest import compete
from loadtest.bench.source import fill, given
from loadtest.bench.throughput import ITEMS_ONLY
from tests.integration.traffic import Act, synthetic, write_log

pytestmark = [
    pytest.mark.alone,
    pytest.mark.ci(reason="a worker is at least as fast as an agent that does nothing"),
]

EVENTS = 80_000


def sessions(folder: Path) -> Path:
    """Return a log of sessions of a few clicks, as in a real shop."""
    acts = (
        Act(f"s{number // 4}", act.item, "click", act.ts)
        for number, act in enumerate(synthetic(seed=21, events=EVENTS, items=3_000))
    )
    return write_log(folder / "sessions.csv", acts)


@pytest.mark.parametrize("name", ["sessions", "rsc15-100k"])
def test_a_worker_is_not_slower_than_an_agent_that_does_nothing(
    env: BenchEnv, bench: Bench, tmp_path: Path, request: pytest.FixtureRequest, name: str
) -> None:
    """From a full topic to the last list and checkpoint, against reading the same topic."""
    if name == "sessions":
        log = sessions(tmp_path)
    else:
        log = request.getfixturevalue("event_logs") / name / "events.csv.gz"
    source = given([log])
    env.make_topics("app")
    records = fill(env, "app", source, 1, bench.begin("filling"))

    env.chosen["app"] = ITEMS_ONLY
    empty = compete(bench, env, source, records, "empty-agent", 0)["events_per_s"]
    items = drain(env, "app", bench.timeout_s, bench.begin("the app")).events_per_s
    env.make_topics("all")
    every = drain(env, "all", bench.timeout_s, bench.begin("the app")).events_per_s

    print(  # noqa: T201
        f"{name}: empty agent {empty:,.0f}/s, worker {items:,.0f}/s, {items / empty:.1f} times; "
        f"with lists for users and trending {every:,.0f}/s, {every / empty:.1f} times"
    )
    for run in ("app", "all"):
        assert audited(env, run, source.files)["differences"] == 0
    assert items >= empty
    assert every >= empty / 2
