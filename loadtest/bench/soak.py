"""Scenario `soak`: memory, files and threads of a worker that has the same work for a long time."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from loadtest.bench.app_run import audit
from loadtest.bench.bench import Bench
from loadtest.bench.bench_env import BenchEnv
from loadtest.bench.open_run import Load, faults_of, sending
from loadtest.bench.rates import named_rates
from loadtest.bench.result import Plot, Result, Table
from loadtest.bench.soak_sample import SoakSample, sampled
from loadtest.bench.steady import CAP, RUN, USERS, logs_of, rested, steady_shop
from loadtest.bench.together import together
from loadtest.bench.trend import Trend, calm_s, trend

ID = "soak"
PAST_EVENTS = 2 * CAP * USERS
"""After twice the cap for each user, histories are full."""
_MOST_GROWTH = 0.1
"""The share of its memory by which a worker may not grow."""
_MB = 1e6

_FIGURES = {
    "worker RSS, MB": ("rss_bytes", 1 / _MB, 1),
    "Redis memory, MB": ("redis_bytes", 1 / _MB, 1),
    "file descriptors": ("fds", 1.0, 0),
    "threads": ("threads", 1.0, 0),
    "% of a core": ("cpu_share", 100.0, 1),
}
"""By title: the figure, its factor, and its decimals."""


def run(bench: Bench) -> Result:
    """Keep one worker under an even load whose state stays as large as it is, at each rate."""
    result = Result(ID)
    for name, rate in named_rates(bench, bench.soak_rates):
        with bench.env(history_cap=str(CAP)) as env:
            samples, case, faults = soaked(bench, env, name, rate)
        trends = trends_of(samples, bench.soak_s)
        result.cases.append({
            "id": f"{ID}/{name}",
            **case,
            "trends": {figure: one.as_dict() for figure, one in trends.items()},
            "samples": [asdict(sample) for sample in samples],
        })  # fmt: skip
        result.faults += faults + verdict(name, trends)
        show(result, rate, bench.soak_s, samples, trends)
    result.notes.append(
        "each figure is the median of a minute, or of a sixth of a run of less than six; the slope "
        f"is that of all samples since then; a run is invalid if RSS grows by {_MOST_GROWTH:.0%} "
        "or more, or if file descriptors or threads grow; memory of Redis is that of the whole "
        "server"
    )
    return result


def soaked(
    bench: Bench, env: BenchEnv, name: str, rate: float
) -> tuple[list[SoakSample], dict[str, Any], list[str]]:
    """Send a load to a worker whose histories are full, and sample it meanwhile.

    Args:
        bench: For the options.
        env: The environment, whose event topic holds nothing.
        name: Name of the rate.
        rate: Events a second.

    Returns:
        The samples, other figures in JSON form, and the reasons why they do not count.

    Raises:
        StreamappError: a process ends, or the audit finds differences.
    """
    about = f"{name}, {rate:,.0f} events a second"
    sizes = {"past": PAST_EVENTS, "load": round(rate * bench.soak_s) + 1}
    shop = steady_shop(sum(sizes.values()), bench.seed)
    bench.begin(f"{about}, making a shop")
    logs, sent = logs_of(shop, env.folder, sizes), env.folder / "sent.csv"
    load = Load(rate, bench.soak_s, [*logs["load"].files])
    asked = {"load": sending(bench, env, load, sent)}
    with rested(bench, env, about, logs["past"]) as found, env.redis() as redis:
        with together(env, RUN, asked, bench.timeout_s) as (started, start_s):
            step = bench.begin(f"{about}, seconds")
            samples = sampled(redis, found.worker, start_s, bench.soak_s, step)
            said = started["load"].hear(bench.timeout_s)
        bench.begin(f"{about}, audit")
        audit(env, RUN, [*logs["past"].files, sent])
    case = {
        "rate": rate,
        "duration_s": bench.soak_s,
        "shop": shop.as_dict(),
        "history_cap": CAP,
        "past_events": PAST_EVENTS,
        "load": said,
    }
    return samples, case, faults_of(name, {"load": said})


def trends_of(samples: Sequence[SoakSample], duration_s: float) -> dict[str, Trend]:
    """Return the trend of each figure of the samples, by its name."""
    at_s = [sample.at_s for sample in samples]
    return {
        name: trend(at_s, [getattr(sample, name) for sample in samples], duration_s)
        for name, _, _ in _FIGURES.values()
    }


def verdict(name: str, trends: Mapping[str, Trend]) -> list[str]:
    """Return what grew that must not.

    Args:
        name: Name of the run.
        trends: The trends, by the names of the figures.
    """
    faults = []
    memory = trends["rss_bytes"]
    if memory.growth >= _MOST_GROWTH:
        faults.append(
            f"{name}: RSS of the worker grew from {memory.calm / _MB:,.0f} MB to "
            f"{memory.end / _MB:,.0f} MB, by {memory.growth:.1%}"
        )
    for figure, what in (("fds", "file descriptors"), ("threads", "threads")):
        one = trends[figure]
        if one.end > one.calm:
            faults.append(f"{name}: {what} of the worker grew from {one.calm:g} to {one.end:g}")
    return faults


def show(
    result: Result,
    rate: float,
    duration_s: float,
    samples: Sequence[SoakSample],
    trends: Mapping[str, Trend],
) -> None:
    """Add the table and the plot of a rate.

    Args:
        result: Gets them.
        rate: Events a second.
        duration_s: How long the load lasted.
        samples: The samples.
        trends: The trends, by the names of the figures.
    """
    rows = []
    for title, (name, factor, places) in _FIGURES.items():
        one = trends[name]
        begin, end = (round(value * factor, places or None) for value in (one.calm, one.end))
        rows.append((
            title, begin, end, round(one.growth * 100, 1), round(one.slope_per_h * factor, 1),
        ))  # fmt: skip
    about = f"{rate:,.0f} events a second for {duration_s:,.0f} s"
    columns = ("figure", f"after {calm_s(duration_s):g} s", "at the end", "difference %",
               "slope an hour")  # fmt: skip
    result.tables.append(Table(f"One worker, {about}", columns, rows))
    minutes = [sample.at_s / 60 for sample in samples]
    series = {
        title.removesuffix(", MB"): (minutes, [getattr(sample, name) / _MB for sample in samples])
        for title, (name, _, _) in _FIGURES.items()
        if name.endswith("_bytes")
    }
    result.plots.append(Plot(f"Memory, {about}", "minutes", "MB", series))
