"""An open-loop run: load on a schedule, and watchers of its effects."""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.bench.app_run import audited, workers
from loadtest.bench.bench import Bench
from loadtest.bench.bench_env import BenchEnv
from loadtest.bench.cpus import Use
from loadtest.bench.distribution import Distribution
from loadtest.bench.probes import Probes

_HEAD_START_S = 0.5
_PATIENCE_S = 30.0
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
    sent, until_s = env.folder / f"{run}-sent.csv", load.duration_s + _PATIENCE_S
    with ExitStack() as stack:
        stack.enter_context(workers(env, run))
        sending = {
            "topic": env.topic,
            "rate": load.rate,
            "duration_s": load.duration_s,
            "files": [str(file) for file in load.files],
            "probes": probes.schedule,
            "events_per_record": bench.events_per_record,
            "sent": str(sent),
        }
        programs = {
            "load": sending,
            "key_watch": probes.watched(until_s),
            "topic_watch": probes.watched(until_s),
        }
        started = {
            name: env.program(run, f"loadtest.bench.{name}", asked)
            for name, asked in programs.items()
        }
        for program in started.values():
            stack.callback(program.kill)
            program.hear(bench.timeout_s)
        start_s = time.monotonic() + _HEAD_START_S
        for program in started.values():
            program.say({"start_s": start_s})
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
        _faults(run, found),
    )  # fmt: skip


def _faults(run: str, found: dict[str, Any]) -> list[str]:
    faults = []
    load = found["load"]
    if not load["kept"]:
        faults.append(
            f"{run}: the load missed its own schedule, its events went out up to "
            f"{load['lateness']['max_ms']:.0f} ms late; ask for a lower rate or more CPUs"
        )
    for name, where in (("key_watch", "Redis"), ("topic_watch", "the output topic")):
        if missing := found[name]["missing"]:
            faults.append(f"{run}: {missing} probes never showed in {where}")
    return faults
