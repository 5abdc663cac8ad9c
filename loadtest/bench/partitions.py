"""Scenario `partitions`: one worker on topics of ever more partitions, at work and idle."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from loadtest.bench.app_run import audit, drain, workers
from loadtest.bench.bench import Bench
from loadtest.bench.bench_env import BenchEnv
from loadtest.bench.footprint import measure
from loadtest.bench.idle import CALM_S, IDLE_S, idle, redis_cpu_s
from loadtest.bench.result import Plot, Result, Table, medians
from loadtest.bench.source import Source, fill
from loadtest.bench.topic_reader import internal_messages

ID = "partitions"
_RUN = "app"
_BASE = 4
"""The default number of partitions, which others are compared with."""
_MB = 1e6

_DRAIN = {
    "CPU us/event": ("cpu_us_per_event", 1.0, 1),
    "of base": ("of_base", 1.0, 2),
    "Redis us/event": ("redis_cpu_us_per_event", 1.0, 1),
    "peak MB": ("peak_rss_bytes", 1 / _MB, 0),
    "Redis MB": ("redis_bytes", 1 / _MB, 1),
    "messages/event": ("internal_messages_per_event", 1.0, 3),
    "bytes/event": ("internal_bytes_per_event", 1.0, 0),
}
"""By title: the figure, its factor, and its decimals."""

_IDLE = {
    "% of a CPU": ("idle_cpu_share", 100.0, 1),
    "MB": ("idle_rss_bytes", 1 / _MB, 0),
    "commands/s": ("idle_commands_per_s", 1.0, 0),
    "connections": ("connections", 1.0, 0),
}


def run(bench: Bench) -> Result:
    """Let one worker drain the log at each number of partitions, and then be idle.

    All topics have that number. The numbers take turns, so that a machine that gets slower does so
    for all of them.
    """
    runs: dict[int, list[dict[str, Any]]] = {count: [] for count in bench.partition_counts}
    with TemporaryDirectory(prefix="streamapp-bench-") as folder:
        source = bench.source(Path(folder))
        for number in range(bench.repeats):
            for count, found in runs.items():
                about = f"{count} partitions, run {number + 1} of {bench.repeats}"
                with bench.env(partitions=str(count)) as env:
                    found.append(measured(bench, env, source, about))
    result = Result(ID)
    result.cases = [
        {"id": f"{ID}/partitions{count}", "source": source.about, **medians(found)}
        for count, found in runs.items()
    ]
    show(result, bench)
    return result


def measured(bench: Bench, env: BenchEnv, source: Source, about: str) -> dict[str, Any]:
    """Return the figures of one worker that drains a source, and of another one that is idle.

    Args:
        bench: For the options.
        env: The environment, whose event topic holds nothing.
        source: The events.
        about: The run, for people.

    Raises:
        StreamappError: a worker ends, or the audit finds differences.
    """
    env.make_topics(_RUN)
    settings = env.settings(_RUN)
    fill(env, _RUN, source, bench.events_per_record, bench.begin(f"{about}, filling"))
    with env.redis() as redis:
        before_s = redis_cpu_s(redis)
        drained = drain(env, _RUN, bench.timeout_s, bench.begin(about))
        used_s = redis_cpu_s(redis) - before_s
    with env.redis() as redis, workers(env, _RUN) as started:
        bench.begin(f"{about}, audit")
        audit(env, _RUN, source.files)
        bench.begin(f"{about}, idle")
        resting = idle(redis, started[0])
        keys = measure(redis, env.name, settings.list_prefix, settings.state_prefix)
    bench.begin(f"{about}, reading internal topics")
    topics = internal_messages(settings).values()
    return {
        **drained.as_dict(),
        "redis_cpu_us_per_event": used_s / drained.events * 1e6,
        "redis_bytes": sum(one["bytes"] for one in keys.values()),
        "internal_messages_per_event": sum(one.messages for one in topics) / drained.events,
        "internal_bytes_per_event": sum(one.bytes for one in topics) / drained.events,
        **resting,
        "keys": keys,
    }


def show(result: Result, bench: Bench) -> None:
    """Add tables, plots and notes to the cases."""
    cases = dict(zip(bench.partition_counts, result.cases, strict=True))
    base = _BASE if _BASE in cases else bench.partition_counts[0]
    for case in result.cases:
        case["of_base"] = case["cpu_us_per_event"] / cases[base]["cpu_us_per_event"]
    result.tables += [
        Table(
            f"{title}, medians of {bench.repeats}",
            ("partitions", *(name.replace("base", f"{base}'s") for name in columns)),
            [(count, *_row(case, columns.values())) for count, case in cases.items()],
        )
        for title, columns in (("One worker drains the log", _DRAIN), ("It is idle", _IDLE))
    ]
    costs = [case["cpu_us_per_event"] for case in result.cases]
    counts = [float(count) for count in cases]
    result.plots.append(
        Plot("Cost of an event over partitions", "partitions of each topic", "CPU us/event",
             {"one worker": (counts, costs)}, log_x=True)
    )  # fmt: skip
    result.notes += [
        (
            "peak MB is the worker's memory during the drain; Redis MB are all keys when all lists "
            "are exact; Redis us/event is the CPU of the Redis server, while the worker runs; "
            "messages and bytes are those that the internal topics hold then, keys and "
            "values without what Kafka adds"
        ),
        (
            f"idle: {IDLE_S:g} s of another worker with the same state, {CALM_S:g} s after the "
            "audit found 0 differences; commands and connections are those of the Redis server "
            "without the benchmark's own, so with --servers given those of others count too"
        ),
    ]


def _row(case: Mapping[str, Any], columns: Iterable[tuple[str, float, int]]) -> list[float]:
    return [round(case[name] * factor, places or None) for name, factor, places in columns]
