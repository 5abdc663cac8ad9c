"""Scenario `throughput`: the app and its rivals, on the same full topic."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from loadtest.bench.app_run import AppRun, audited, drain
from loadtest.bench.bench import Bench
from loadtest.bench.bench_env import BenchEnv
from loadtest.bench.contest import RIVALS, SLOW, compete
from loadtest.bench.result import Plot, Result, Table, medians
from loadtest.bench.source import Source, fill, made_up

ID = "throughput"
_FIRST = "fill"
_APP = "streamapp"
_WHOLE = "streamapp-all-lists"
_MB = 1e6

_EVENTS_SHARE = 4
"""Shops of deep histories have fewer events by this factor, because each event is more work."""

ITEMS_ONLY = {"user_list_ttl": "0", "trending_half_life": "0"}
"""Settings of an app that does the work of its rivals, who make no other lists."""


def run(bench: Bench) -> Result:
    """Measure each case `repeats` times; every run is a fresh process and a fresh state."""
    result = Result(ID)
    with bench.env() as env:
        source = bench.source(env.folder)
        env.make_topics(_FIRST)
        records = fill(env, _FIRST, source, bench.events_per_record, bench.begin("filling"))
        runs, whole = [], []
        # In turn, so that a machine that gets slower does so for both.
        for number in range(bench.repeats):
            runs.append(_app(bench, env, source, f"items{number}", ITEMS_ONLY))
            whole.append(_app(bench, env, source, f"all{number}", {}))
        rate = median(run.events_per_s for run in runs)
        bench.full_rate = rate
        rivals = {
            name: [
                compete(bench, env, source, records, name, number)
                for number in range(bench.repeats)
            ]
            for name in RIVALS
        }
        for one in rivals["rebuild"]:
            one.update(_periodic(one.pop("curve"), rate, bench.freshness_s))
    result.cases = [
        {"id": f"{ID}/{name}", "source": source.about, **medians(found)}
        for name, found in [
            (_APP, [run.as_dict() for run in runs]),
            (_WHOLE, [run.as_dict() for run in whole]),
            *rivals.items(),
        ]
    ]
    _show(result, runs, bench)
    _add_depths(bench, result)
    if bench.events_per_record > 1:
        result.notes.append(_records(result, records / source.events))
    return result


def _add_depths(bench: Bench, result: Result) -> None:
    """Add the app with all lists on shops whose users have as many events as a history holds."""
    rows = []
    for depth in bench.depths:
        shop = bench.shop(max(depth, bench.events // _EVENTS_SHARE), depth)
        with bench.env(history_cap=str(depth)) as env:
            bench.begin(f"history depth {depth}, making a shop")
            source = made_up(shop, env.folder)
            env.make_topics(_FIRST)
            fill(env, _FIRST, source, bench.events_per_record, bench.begin("filling"))
            runs = [
                _app(bench, env, source, f"depth{depth}-{number}", {}).as_dict()
                for number in range(bench.repeats)
            ]
        case = {"id": f"{ID}/depth{depth}", "source": source.about, **medians(runs)}
        result.cases.append(case)
        rows.append((
            depth, shop.users, case["events"], round(case["events_per_s"]),
            round(case["cpu_us_per_event"], 1), round(case["peak_rss_bytes"] / _MB),
        ))  # fmt: skip
    columns = "history depth", "users", "events", "events/s", "CPU us/event", "peak MB"
    title = f"Throughput of {_WHOLE} by history depth, median of {bench.repeats}"
    result.tables.append(Table(title, columns, rows))
    result.notes.append(
        "with a history depth, users of a made-up shop have as many events as histories hold items"
    )


def _app(bench: Bench, env: BenchEnv, source: Source, name: str, chosen: dict[str, str]) -> AppRun:
    step = bench.begin(f"{_APP}, run {name}")
    env.chosen[name] = chosen
    env.make_topics(name)
    found = drain(env, name, bench.timeout_s, step)
    bench.begin(f"{_APP}, audit of {name}")
    audited(env, name, source.files)
    env.clear(name)
    return found


def _periodic(
    curve: Sequence[tuple[int, float]], rate: float, freshness_s: float
) -> dict[str, Any]:
    """Return the cost of rebuilding at a freshness."""
    total, last_s = curve[-1]
    work_s = rebuilding_s(curve, max(1.0, rate * freshness_s))
    return {
        "one_rebuild_s": last_s,
        "freshness_s": freshness_s,
        "elapsed_s": work_s,
        "events_per_s": total / work_s,
        "cpu_us_per_event": work_s / total * 1e6,
    }


def rebuilding_s(curve: Sequence[tuple[int, float]], step_events: float) -> float:
    """Return the seconds that rebuilding from scratch after every `step_events` events takes.

    Args:
        curve: (events, seconds of one rebuild), rising; linear in between.
        step_events: Events from one rebuild to the next; at the end there is one more.
    """
    total = curve[-1][0]
    known = [(0, 0.0), *curve]
    work_s, events = 0.0, 0.0
    while events < total:
        events = min(total, events + step_events)
        for (low, low_s), (high, high_s) in pairwise(known):
            if low < events <= high:
                work_s += low_s + (high_s - low_s) * (events - low) / (high - low)
                break
    return work_s


def _show(result: Result, runs: list[AppRun], bench: Bench) -> None:
    about = {
        _APP: "one worker, lists of items, to the last list and checkpoint",
        _WHOLE: "the same with what is trending, and lists for users",
        **RIVALS,
    }
    base = next(one for one in result.cases if one["id"] == f"{ID}/empty-agent")["events_per_s"]
    rows = []
    for case in result.cases:
        name = case["id"].partition("/")[2]
        rates = [run["events_per_s"] for run in case["runs"]]
        rows.append((
            name, case["events"], round(case["events_per_s"]), round(min(rates)),
            round(max(rates)), round(case["events_per_s"] / base, 2),
            round(case["cpu_us_per_event"], 1),
        ))  # fmt: skip
    columns = ("case", "events", "events/s", "least", "most", "of empty agent",
               "CPU us/event")  # fmt: skip
    result.tables.append(Table(f"Throughput, median of {bench.repeats}", columns, rows))
    result.tables.append(Table("What they are", ("case", "what"), list(about.items())))
    middle = sorted(runs, key=lambda run: run.events_per_s)[len(runs) // 2]
    result.plots += [
        Plot("Throughput of the app over time", "s", "events/s", {_APP: middle.over_time()}),
        Plot("Cost of an event over the size of the state", "events in the state",
             "CPU us/event", {_APP: middle.over_state()}),
    ]  # fmt: skip
    slow, rate = " and ".join(sorted(SLOW)), _rates(result)
    result.notes += [
        (
            "lists for users and what is trending cost "
            f"{1 - rate[_WHOLE] / rate[_APP]:.0%} of the app's rate"
        ),
        (
            f"{slow} read only the first {bench.slow_events:,} events that the broker hands out; "
            "their rates fall as rows grow, so the whole log would be slower"
        ),
        (
            f"rebuild is what rebuilding every {bench.freshness_s:g} s would take while events "
            "arrive as fast as the app takes them; reading the log is not counted"
        ),
        (
            "the clock starts with the first record for all; every run of the app was audited "
            "against the whole log, with 0 differences"
        ),
    ]


def _records(result: Result, share: float) -> str:
    """Return the figures of arrays; `share` is the number of records of an event."""
    rates = _rates(result)
    base = rates["empty-agent"] * share
    return (
        f"a record is an array: the empty agent takes {base:,.0f} records a second, and the app "
        f"{rates[_APP] / base:.1f} times as many events"
    )


def _rates(result: Result) -> dict[str, float]:
    """Return the median rate of each case, by its name."""
    return {case["id"].partition("/")[2]: case["events_per_s"] for case in result.cases}


def measured_rate(bench: Bench) -> float:
    """Return the rate of the app on a full topic; measured by one run if it is not known."""
    if bench.full_rate is None:
        with bench.env() as env:
            source = bench.source(env.folder)
            env.make_topics(_FIRST)
            fill(env, _FIRST, source, bench.events_per_record, bench.begin("filling"))
            bench.full_rate = _app(bench, env, source, "rate", {}).events_per_s
    return bench.full_rate
