"""An open-loop run: load on a schedule, and watchers of its effects."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.bench.app_run import audited, workers
from loadtest.bench.bench import Bench
from loadtest.bench.bench_env import BenchEnv
from loadtest.bench.cpus import Use
from loadtest.bench.distribution import Distribution
from loadtest.bench.probes import Fields, Probes
from loadtest.bench.together import together

PATIENCE_S = 30.0
"""How long after the end of the load probes may still show."""


@dataclass(frozen=True, slots=True)
class Load:
    """The load beside the probes.

    Attributes:
        rate: Events a second; 0 for none.
        duration_s: For how long.
        files: The event log it comes from, from its beginning.
    """

    rate: float
    duration_s: float
    files: list[Path]


@dataclass(frozen=True, slots=True)
class OpenRun:
    """The results of a run.

    Attributes:
        key: Latency to the Redis key.
        topic: Latency to the output topic.
        figures: As JSON has them.
        faults: Reasons why the run does not count.
    """

    key: Distribution
    topic: Distribution
    figures: dict[str, Any]
    faults: list[str]


def open_run(
    bench: Bench, env: BenchEnv, run: str, load: Load, probes: Probes, before: list[Path]
) -> OpenRun:
    """Send load and probes to a running app, and watch the probes; then audit everything.

    Args:
        bench: For the options.
        env: The environment whose event topic holds nothing but `before`.
        run: Name of the run.
        load: The load.
        probes: The probes.
        before: Event logs that the state holds already.

    Raises:
        StreamappError: a process ends, or the audit finds differences.
    """
    sent, until_s = env.folder / f"{run}-sent.csv", load.duration_s + PATIENCE_S
    programs = {
        "load": sending(bench, env, load, sent, probes.schedule),
        "key_watch": probes.watched(until_s),
        "topic_watch": probes.watched(until_s),
    }
    with workers(env, run), together(env, run, programs, bench.timeout_s) as (started, _):
        use = Use(env.cpus)
        found = {"load": started["load"].hear(bench.timeout_s)}
        busy = use.shares()
        for name in ("key_watch", "topic_watch"):
            found[name] = started[name].hear(bench.timeout_s)
    bench.begin(f"{run}, audit")
    audited(env, run, [*before, sent])
    key, topic = (Distribution(found[name].pop("took_s")) for name in ("key_watch", "topic_watch"))
    return OpenRun(
        key,
        topic,
        {"rate": load.rate, "load": found["load"], "key": found["key_watch"],
         "topic": found["topic_watch"], "cpus_busy": busy},
        faults_of(run, found),
    )  # fmt: skip


def sending(
    bench: Bench,
    env: BenchEnv,
    load: Load,
    sent: Path,
    probes: Sequence[tuple[float, Fields]] = (),
) -> dict[str, Any]:
    """Return the input of the program that sends a load and probes.

    Args:
        bench: For the options.
        env: The environment, for its event topic.
        load: The load.
        sent: Where the program writes the log of what it sent.
        probes: The schedule of the probes.
    """
    return {
        "topic": env.topic,
        "rate": load.rate,
        "duration_s": load.duration_s,
        "files": [str(file) for file in load.files],
        "probes": probes,
        "events_per_record": bench.events_per_record,
        "sent": str(sent),
    }


def faults_of(run: str, found: dict[str, Any]) -> list[str]:
    """Return the reasons why a run does not count.

    Args:
        run: Name of the run.
        found: What its programs said, by their names: `load`, and those that watch probes.
    """
    faults = []
    load = found["load"]
    if not load["kept"]:
        faults.append(
            f"{run}: the load missed its own schedule, its events went out up to "
            f"{load['lateness']['max_ms']:.0f} ms late; ask for a lower rate or more CPUs"
        )
    for name, where in (("key_watch", "Redis"), ("topic_watch", "the output topic")):
        if name in found and (missing := found[name]["missing"]):
            faults.append(f"{run}: {missing} probes never showed in {where}")
    return faults
