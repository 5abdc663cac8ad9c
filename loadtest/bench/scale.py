"""Scenario `scale`: the cost of an event with two workers, against one."""

from contextlib import ExitStack

from loadtest.bench.app_run import AppRun, audited, outcome, workers
from loadtest.bench.bench import Bench
from loadtest.bench.result import Plot, Result, Table
from loadtest.bench.source import fill
from loadtest.bench.watch import Watch

ID = "scale"
_RUN = "app"
_COUNTS = (1, 2)
_PARTITIONS = "2"
_SESSION_S = "15"
"""A paused worker must stay a member of its group."""


def run(bench: Bench) -> Result:
    """Give the same log on two partitions to one worker, then to two.

    The workers are ready before it and paused while it is produced, so all of it waits for them and
    each works at full load.
    """
    result, runs = Result(ID), {}
    apart = True
    for count in _COUNTS:
        found = [_run(bench, count) for _ in range(bench.repeats)]
        apart = apart and all(kept_apart for _, kept_apart in found)
        ordered = sorted((one for one, _ in found), key=lambda one: one.cpu_us_per_event)
        runs[count] = ordered[len(ordered) // 2]
        costs = [one.cpu_us_per_event for one, _ in found]
        case = {"id": f"{ID}/workers{count}", **runs[count].as_dict(), "runs": costs}
        result.cases.append(case)
    base = runs[1]
    result.tables.append(
        Table(
            f"Workers on two partitions, the run of the median cost of {bench.repeats}",
            ("workers", "events", "events/s", "CPU us/event", "of one worker's", "peak MB"),
            [
                (
                    count,
                    one.events,
                    round(one.events_per_s),
                    round(one.cpu_us_per_event, 1),
                    round(one.cpu_us_per_event / base.cpu_us_per_event, 2),
                    round(one.peak_rss_bytes / 1e6),
                )
                for count, one in runs.items()
            ],
        )
    )
    series = {f"{count} workers": one.over_time() for count, one in runs.items()}
    result.plots.append(Plot("Throughput over time", "s", "events/s", series))
    result.notes.append(
        "CPU an event is what scales here; events a second also depend on what servers and load "
        "leave of the machine"
    )
    if not apart:
        result.notes.append("there are too few CPUs to give each worker its own: nothing is pinned")
    return result


def _run(bench: Bench, count: int) -> tuple[AppRun, bool]:
    with bench.env(count, partitions=_PARTITIONS, session_timeout=_SESSION_S) as env:
        env.make_topics(_RUN)
        source = bench.source(env.folder)
        bench.begin(f"{count} workers, starting")
        with (
            env.redis() as redis,
            workers(env, _RUN, count) as started,
            ExitStack() as pause,
        ):
            for worker in started:
                pause.enter_context(worker.paused())
            step = bench.begin(f"{count} workers, filling")
            fill(env, _RUN, source, bench.events_per_record, step)
            with Watch(env.settings(_RUN), redis, started) as watch:
                pause.close()
                watch.settled(bench.timeout_s, bench.begin(f"{count} workers"))
        bench.begin(f"{count} workers, audit")
        audited(env, _RUN, source.files)
        return outcome(watch.samples), env.cpus.apart
