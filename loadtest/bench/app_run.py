"""A run of the app: workers, their cost, and the full audit afterwards."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from loadtest.bench.bench_env import BenchEnv
from loadtest.bench.process import PROJECT, Process
from loadtest.bench.watch import Sample, Watch, span
from streamapp.cli.terminal.console import Step
from streamapp.errors import StreamappError

_READY = "Worker ready"
_READY_S = 120.0
_LOOK_INTERVAL_S = 0.02
_AUDIT_S = 3600.0
"""The audit of a larger log takes longer; one that hangs must still end."""

_POINTS = 200


@dataclass(frozen=True, slots=True)
class AppRun:
    """The outcome of a run.

    Attributes:
        events: Events applied in it.
        elapsed_s: From the first record to the last list and checkpoint.
        cpu_s: CPU seconds of the workers meanwhile.
        peak_rss_bytes: Most memory of the workers together.
        samples: All samples, also before the first record.
    """

    events: int
    elapsed_s: float
    cpu_s: float
    peak_rss_bytes: int
    samples: Sequence[Sample]

    @property
    def events_per_s(self) -> float:
        """Events a second."""
        return self.events / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def cpu_us_per_event(self) -> float:
        """CPU microseconds of the workers for an event."""
        return self.cpu_s / self.events * 1e6 if self.events else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the figures of the run."""
        return {
            "events": self.events,
            "elapsed_s": self.elapsed_s,
            "events_per_s": self.events_per_s,
            "cpu_us_per_event": self.cpu_us_per_event,
            "peak_rss_bytes": self.peak_rss_bytes,
        }

    def over_time(self) -> tuple[list[float], list[float]]:
        """Return (x, y): seconds since the first record, events applied a second."""
        pieces = self._pieces()
        start = pieces[0].at_s if pieces else 0.0
        return (
            [after.at_s - start for after in pieces[1:]],
            [
                (after.applied - before.applied) / (after.at_s - before.at_s)
                for before, after in pairwise(pieces)
            ],
        )

    def over_state(self) -> tuple[list[float], list[float]]:
        """Return (x, y): events in the state, CPU microseconds for each event since the last."""
        pieces = self._pieces()
        steps = [
            (after.applied, (after.cpu_s - before.cpu_s) * 1e6 / (after.applied - before.applied))
            for before, after in pairwise(pieces)
            if after.applied > before.applied
        ]
        return [float(applied) for applied, _ in steps], [cost for _, cost in steps]

    def _pieces(self) -> list[Sample]:
        """Return samples of the run proper, far enough apart for each to show progress."""
        begin, end = span(self.samples)
        proper = [one for one in self.samples if begin.at_s <= one.at_s <= end.at_s]
        step = max(10, len(proper) // _POINTS)
        return [*proper[:-1:step], *proper[-1:]]


@contextmanager
def workers(env: BenchEnv, run: str, count: int = 1) -> Iterator[list[Process]]:
    """Yield workers of a run that are ready, and end them in order.

    Raises:
        StreamappError: one ends, or is not ready in time.
    """
    started = [
        env.start(run, f"worker{place}", ["streamapp", "worker"], env.cpus.of(place))
        for place in range(count)
    ]
    try:
        deadline = time.monotonic() + _READY_S
        while not all(_READY in worker.output for worker in started):
            for worker in started:
                worker.check()
            if time.monotonic() > deadline:
                raise StreamappError(f"the workers are not ready after {_READY_S:g} s")
            time.sleep(_LOOK_INTERVAL_S)
        yield started
    finally:
        for worker in started:
            worker.stop()


def drain(env: BenchEnv, run: str, timeout_s: float, tell: Step) -> AppRun:
    """Let one worker process a full event topic; samples begin before it starts."""
    with env.redis() as redis:
        starting = env.start(run, "worker0", ["streamapp", "worker"], env.cpus.of(0))
        try:
            with Watch(env.settings(run), redis, [starting]) as watch:
                watch.settled(timeout_s, tell)
            return outcome(watch.samples)
        finally:
            starting.stop()


def outcome(samples: Sequence[Sample]) -> AppRun:
    """Return the figures of a settled run from its samples."""
    begin, end = span(samples)
    return AppRun(
        events=end.applied - begin.applied,
        elapsed_s=end.at_s - begin.at_s,
        cpu_s=end.cpu_s - begin.cpu_s,
        peak_rss_bytes=max(sample.rss_bytes for sample in samples),
        samples=samples,
    )


def audited(env: BenchEnv, run: str, files: Sequence[Path]) -> dict[str, Any]:
    """Run the full audit of a run whose lists still wait for changed norms; return its report.

    It starts a worker, because lists follow changed norms while the worker is idle.

    Raises:
        StreamappError: the audit finds differences, or cannot be done.
    """
    with workers(env, run):
        return audit(env, run, files)


def audit(env: BenchEnv, run: str, files: Sequence[Path]) -> dict[str, Any]:
    """Run the full audit of a run that has a worker; return its report.

    Raises:
        StreamappError: the audit finds differences, or cannot be done.
    """
    logs = [argument for file in files for argument in ("--log", str(file))]
    try:
        done = subprocess.run(  # noqa: S603 - a command of this project
            [sys.executable, "-m", "streamapp", "audit", *logs, "--json", "--timeout", "300"],
            cwd=env.folder,
            env={**env.environment(run), "PYTHONPATH": str(PROJECT)},
            capture_output=True,
            text=True,
            timeout=_AUDIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StreamappError(f"the audit of {run} takes over {_AUDIT_S:,.0f} s") from None
    if done.returncode:
        said = (done.stdout + done.stderr).strip()
        raise StreamappError(f"the audit of {run} finds differences or fails: {said[-2000:]}")
    report: dict[str, Any] = orjson.loads(done.stdout)
    return {"interactions": report["interactions"], "differences": report["differences"]}
