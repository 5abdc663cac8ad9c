"""A drain by a group: workers that are ready before the topic is full, and then share it."""

from collections.abc import Sequence
from contextlib import ExitStack

from loadtest.bench.app_run import AppRun, audited, outcome, workers
from loadtest.bench.bench import Bench
from loadtest.bench.result import Plot, Result, Table
from loadtest.bench.source import fill
from loadtest.bench.watch import Watch

_RUN = "app"
_SESSION_S = "15"
"""A paused worker must stay a member of its group."""


def compare_groups(bench: Bench, result: Result, counts: Sequence[int], partitions: int) -> None:
    """Add what an event costs groups of several sizes, all of them on the same log.

    The sizes take turns, so that a machine that gets slower does so for all of them.

    Args:
        bench: For the options.
        result: Gets cases, a table, a plot and notes.
        counts: How many workers each group has.
        partitions: Partitions of every topic.
    """
    found: dict[int, list[AppRun]] = {count: [] for count in counts}
    apart = True
    for _ in range(bench.repeats):
        for count, some in found.items():
            run, kept_apart = _run(bench, count, partitions)
            some.append(run)
            apart = apart and kept_apart
    runs = {}
    for count, some in found.items():
        ordered = sorted(some, key=lambda one: one.cpu_us_per_event)
        runs[count] = ordered[len(ordered) // 2]
        costs = [one.cpu_us_per_event for one in some]
        case = {"id": f"{result.scenario}/workers{count}", **runs[count].as_dict(), "runs": costs}
        result.cases.append(case)
    base = runs[counts[0]]
    result.tables.append(
        Table(
            f"Workers on {partitions} partitions, the run of the median cost of {bench.repeats}",
            ("workers", "events", "events/s", "CPU us/event", f"of {counts[0]}'s", "peak MB"),
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
        "CPU an event is that of all workers, and what scales here; events a second also depend on "
        "what servers and load leave of the machine"
    )
    if not apart:
        result.notes.append("there are too few CPUs to give each worker its own: nothing is pinned")


def _run(bench: Bench, count: int, partitions: int) -> tuple[AppRun, bool]:
    """Return what a drain costs a group, and whether each worker had a CPU of its own.

    The workers are paused while the log is produced, so all of it waits for them and each works at
    full load.
    """
    with bench.env(count, partitions=str(partitions), session_timeout=_SESSION_S) as env:
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
