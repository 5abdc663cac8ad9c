"""Scenario `everyday`: what an event costs at the rates that a worker sees most of the time."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loadtest.bench.app_run import audit
from loadtest.bench.bench import Bench
from loadtest.bench.bench_env import BenchEnv
from loadtest.bench.cpus import Use
from loadtest.bench.latency import PROBES_EACH_S, WARM_UP_S
from loadtest.bench.meter import read_meter, used
from loadtest.bench.open_run import PATIENCE_S, Load, faults_of, sending
from loadtest.bench.probes import spread
from loadtest.bench.process import Process
from loadtest.bench.rates import named_rates
from loadtest.bench.result import Plot, Result, Table, medians
from loadtest.bench.steady import CAP, RUN, logs_of, rested, steady_shop
from loadtest.bench.together import together

ID = "everyday"
PAST_EVENTS = 60_000
_TAIL_S = 2.0
"""How long the load goes on, so that the last reading is of a worker at work."""
_EVENTS_PER_PROBE = 5
"""At least so many events for each probe, which is two of them."""
_DRAIN = "drain"

_COLUMNS = {
    "% of a core": ("cpu_share", 100.0, 1),
    "CPU us/event": ("cpu_us_per_event", 1.0, 0),
    "lists/event": ("lists_per_event", 1.0, 1),
    "Redis commands/s": ("redis_commands_per_s", 1.0, 0),
    "Redis input kB/event": ("redis_input_bytes_per_event", 1e-3, 1),
    "p50 ms": ("key_p50_ms", 1.0, 0),
    "p99 ms": ("key_p99_ms", 1.0, 0),
}
"""By title: the figure, its factor, and its decimals."""


def run(bench: Bench) -> Result:
    """Measure one worker at each rate, each time with a fresh state that holds the same past."""
    result, drains = Result(ID), []
    for name, rate in named_rates(bench, bench.everyday_rates):
        with bench.env(history_cap=str(CAP)) as env:
            case, drained, faults = measured(bench, env, name, rate)
        result.cases.append({"id": f"{ID}/{name}", **case})
        result.faults += faults
        drains.append(drained)
    result.cases.append({"id": f"{ID}/{_DRAIN}", **medians(drains)})
    show(result)
    return result


def measured(
    bench: Bench, env: BenchEnv, name: str, rate: float
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Return the figures of one worker at a rate.

    Costs and latency are measured one after the other: watchers and probes are no part of the cost.

    Args:
        bench: For the options.
        env: The environment, whose event topic holds nothing.
        name: Name of the rate.
        rate: Events a second.

    Returns:
        The figures of the worker, those of another one that drained the past, and the reasons why
        they do not count.

    Raises:
        StreamappError: a process ends, or the audit finds differences.
    """
    about = f"{name}, {rate:,.0f} events a second"
    cost_s = WARM_UP_S + bench.duration_s + _TAIL_S
    # The log of the probed load is longer than it takes, because probes take some of its rate.
    sizes = {"past": PAST_EVENTS, **dict.fromkeys(("load", "probed"), round(rate * cost_s) + 1)}
    shop = steady_shop(sum(sizes.values()), bench.seed)
    bench.begin(f"{about}, making a shop")
    logs = logs_of(shop, env.folder, sizes)
    load, probed = (env.folder / f"{part}-sent.csv" for part in ("load", "probed"))
    with rested(bench, env, about, logs["past"]) as found:
        bench.begin(f"{about}, cost")
        cost = _cost(bench, env, found.worker, Load(rate, cost_s, [*logs["load"].files]), load)
        bench.begin(f"{about}, latency")
        latency = _latency(bench, env, name, rate, [*logs["probed"].files], probed)
        bench.begin(f"{about}, audit")
        audit(env, RUN, [*logs["past"].files, load, probed])
    case = {
        "rate": rate,
        "shop": shop.as_dict(),
        "history_cap": CAP,
        "past_events": PAST_EVENTS,
        **cost,
        **{f"key_{name}": latency["key_watch"][name] for name in ("p50_ms", "p99_ms")},
        "latency": latency,
    }
    faults = faults_of(name, {"load": cost["load"]}) + faults_of(f"{name} with probes", latency)
    return case, found.drained, faults


def _cost(bench: Bench, env: BenchEnv, worker: Process, load: Load, sent: Path) -> dict[str, Any]:
    """Return what a worker takes under load, without its first seconds."""
    settings, asked = env.settings(RUN), {"load": sending(bench, env, load, sent)}
    with env.redis() as redis, together(env, RUN, asked, bench.timeout_s) as (started, start_s):
        time.sleep(max(0.0, start_s + WARM_UP_S - time.monotonic()))
        use, before = Use(env.cpus), read_meter(settings, redis, worker)
        time.sleep(max(0.0, before.at_s + bench.duration_s - time.monotonic()))
        worker.check()
        busy, after = use.shares(), read_meter(settings, redis, worker)
        said = started["load"].hear(bench.timeout_s)
    return {**used(before, after, load.rate), "cpus_busy": busy, "load": said}


def _latency(
    bench: Bench, env: BenchEnv, name: str, rate: float, files: list[Path], sent: Path
) -> dict[str, Any]:
    """Return what load and watcher say; probes take the place of other events."""
    each_s = min(float(PROBES_EACH_S), rate / _EVENTS_PER_PROBE)
    probes = spread(
        f"{name}-probe",
        count=max(1, round(bench.duration_s * each_s)),
        from_s=WARM_UP_S,
        every_s=1 / each_s,
        beside="sku-0",
        shared=False,
        seed=bench.seed,
    )
    load = Load(rate - 2 * each_s, WARM_UP_S + bench.duration_s, files)
    programs = {
        "load": sending(bench, env, load, sent, probes.schedule),
        "key_watch": probes.watched(load.duration_s + PATIENCE_S),
    }
    with together(env, RUN, programs, bench.timeout_s) as (started, _):
        found = {part: one.hear(bench.timeout_s) for part, one in started.items()}
    del found["key_watch"]["took_s"]
    return found


def show(result: Result) -> None:
    """Add the table, the plot and the notes to the cases."""
    *rates, drain = result.cases
    rows = [
        *((f"{case['rate']:g}", *_row(case)) for case in rates),
        (_DRAIN, *_row(drain)),
    ]
    columns = ("events/s", *_COLUMNS)
    result.tables.append(Table("One worker at even rates, and at a full topic", columns, rows))
    points = sorted((case["rate"], case["cpu_share"] * 100) for case in rates)
    x, y = [rate for rate, _ in points], [share for _, share in points]
    result.plots.append(
        Plot("CPU of the worker over the rate", "events/s", "% of a core",
             {"one worker": (x, y)}, log_x=True)
    )  # fmt: skip
    result.notes += [
        (
            f"before each rate one worker drains {PAST_EVENTS:,} events of the shop (last row: the "
            "median of these runs), another one brings all lists up to date, and it is measured"
        ),
        (
            "lists are records of the output topic, of all kinds; commands are those of scripts "
            "too, without the benchmark's own; with --servers given, those of others count"
        ),
        (
            "latency is that to the Redis key, counted from the moment at which a probe was due, "
            "in a second run of the same worker at the same rate; a probe and its user's first "
            f"event are at most two of {_EVENTS_PER_PROBE} events, so low rates have few probes"
        ),
    ]
    result.notes += [
        f"{case['rate']:g} events/s: {case['latency']['key_watch']['count']} probes; the worker's "
        f"CPUs were busy for {case['cpus_busy']['measured']:.0%} of the time, those of servers and "
        f"load for {case['cpus_busy']['rest']:.0%}"
        for case in rates
    ]


def _row(case: Mapping[str, Any]) -> list[float | None]:
    return [
        round(case[name] * factor, places or None) if name in case else None
        for name, factor, places in _COLUMNS.values()
    ]
