"""Changes of a group under load: one of two workers is stopped, and then another one starts."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loadtest.bench.app_run import audited, workers
from loadtest.bench.bench import Bench
from loadtest.bench.bench_env import BenchEnv
from loadtest.bench.latency import WARM_UP_S
from loadtest.bench.open_run import Load, sending
from loadtest.bench.process import Process
from loadtest.bench.recovery import recovery
from loadtest.bench.source import made_up
from loadtest.bench.topic_reader import first_since
from loadtest.bench.watch import Watch

_RUN = "app"
CALM_S = 5.0
"""For how long pauses are measured before a change."""
_HEAD_START_S = 0.5
_LOOK_INTERVAL_S = 0.05

CHANGES = {"stopped": "2 to 1: SIGTERM to one", "added": "1 to 2: one starts"}
"""The changes by their name in cases, in the order in which they happen."""


def change_group(
    bench: Bench, env: BenchEnv, about: str, rate: float
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Stop one of two workers under load, then start another one; audit everything.

    Args:
        bench: For the options.
        env: The environment, whose event topic holds nothing.
        about: The run, for people.
        rate: Events a second.

    Returns:
        The figures of each change, and the reasons why they do not count.

    Raises:
        StreamappError: a process ends, or the audit finds differences.
    """
    env.make_topics(_RUN)
    settings, sent = env.settings(_RUN), env.folder / "sent.csv"
    asked = _load(bench, env, rate, sent)
    bench.begin(about)
    with env.redis() as redis, workers(env, _RUN, 2) as started:
        load = env.program(_RUN, "loadtest.bench.load", asked)
        try:
            load.hear(bench.timeout_s)
            start_s = time.monotonic() + _HEAD_START_S
            load.say({"start_s": start_s})
            with Watch(settings, redis, []) as watch:
                calm_s = start_s + WARM_UP_S
                _wait(watch, started, calm_s + CALM_S)
                owners, stopped = [watch.owners()], _now()
                code = started.pop().stop()
                exit_s = time.monotonic() - stopped[0]
                _wait(watch, started, stopped[0] + bench.duration_s)
                owners.append(watch.owners())
                added = _now()
                started.append(env.start(_RUN, "worker2", ["streamapp", "worker"], env.cpus.of(1)))
                _wait(watch, started, added[0] + bench.duration_s)
                owners.append(watch.owners())
                said = load.hear(bench.timeout_s)
        finally:
            load.kill()
    bench.begin(f"{about}, reading topics")
    first = first_since(settings, watch.tps, [stopped[1], added[1]])
    bench.begin(f"{about}, audit")
    audited(env, _RUN, [sent])
    moments = [
        (calm_s, stopped[0], added[0]),
        (added[0] - CALM_S, added[0], added[0] + bench.duration_s),
    ]
    found = {
        name: recovery(watch.samples, *some, offsets).as_dict()
        for name, some, offsets in zip(CHANGES, moments, first, strict=True)
    }
    found["stopped"]["exit_s"] = exit_s
    faults = []
    for name, before, after in zip(CHANGES, owners[:-1], owners[1:], strict=True):
        within = f"within {bench.duration_s:g} s ({CHANGES[name]})"
        if before == after:
            faults.append(f"{about}: the group did not change {within}")
        elif stuck := found[name]["stuck"]:
            faults.append(f"{about}: {stuck} partitions did not work again {within}")
    if code:
        faults.append(f"{about}: the worker that was stopped ended with exit code {code}")
    if not said["kept"]:
        faults.append(f"{about}: the load missed its own schedule; more CPUs are needed")
    return found, faults


def _load(bench: Bench, env: BenchEnv, rate: float, sent: Path) -> dict[str, Any]:
    """Return the input of the load, which lasts as long as both changes."""
    duration_s = WARM_UP_S + CALM_S + 2 * bench.duration_s
    log = made_up(bench.shop(round(rate * duration_s) + 1), env.folder)
    return sending(bench, env, Load(rate, duration_s, list(log.files)), sent)


def _now() -> tuple[float, float]:
    """Return this moment on the clock of samples, and as Unix time in seconds."""
    return time.monotonic(), time.time()


def _wait(watch: Watch, processes: Sequence[Process], until_s: float) -> None:
    """Wait until a moment on the clock of samples.

    Raises:
        StreamappError: a process ends, or no samples can be taken.
    """
    while (left_s := until_s - time.monotonic()) > 0:
        watch.check()
        for process in processes:
            process.check()
        time.sleep(min(left_s, _LOOK_INTERVAL_S))
