"""Scenario `growth`: memory and CPU as items and users grow, and pairs do not."""

from typing import Any

from loadtest.bench.app_run import AppRun, audited, drain
from loadtest.bench.bench import Bench
from loadtest.bench.footprint import CLASSES, measure
from loadtest.bench.result import Plot, Result, Table
from loadtest.bench.shop import Shop
from loadtest.bench.slow_calls import slow_calls
from loadtest.bench.source import fill, made_up

ID = "growth"
_RUN = "app"
_EVENTS_PER_USER = 5
_MB = 1e6


def run(bench: Bench) -> Result:
    """Measure a shop of each size; users have five events each, so an event has as many pairs."""
    result, runs = Result(ID), {}
    for items, users in bench.sizes:
        name = f"{items}x{users}"
        runs[name], case = _run(bench, name, items, users)
        result.cases.append({"id": f"{ID}/{name}", **case})
    _show(result, runs)
    return result


def _run(bench: Bench, name: str, items: int, users: int) -> tuple[AppRun, dict[str, Any]]:
    shop = Shop(users * _EVENTS_PER_USER, users, items, seed=bench.seed)
    with bench.env() as env:
        env.make_topics(_RUN)
        bench.begin(f"{name}, making a shop of {shop.events:,} events")
        source = made_up(shop, env.folder)
        fill(env, _RUN, source, bench.events_per_record, bench.begin(f"{name}, filling"))
        step = bench.begin(name)
        with env.redis() as redis, slow_calls(redis) as slow:
            found = drain(env, _RUN, bench.timeout_s, step)
        bench.begin(f"{name}, audit")
        audited(env, _RUN, source.files)
        bench.begin(f"{name}, memory of keys")
        settings = env.settings(_RUN)
        with env.redis() as redis:
            keys = measure(redis, env.name, settings.list_prefix, settings.state_prefix)
            used: Any = redis.info("memory")
    case = {
        "shop": shop.as_dict(),
        **found.as_dict(),
        "slow_calls": slow.count,
        "slowest_call": slow.slowest,
        "slowest_call_ms": slow.slowest_ms,
        "keys": keys,
        "redis_used_bytes": used["used_memory"],
        "redis_peak_bytes": used["used_memory_peak"],
    }
    return found, case


def _keys(case: dict[str, Any], name: str) -> dict[str, int]:
    found: dict[str, int] = case["keys"].get(name, {"keys": 0, "bytes": 0})
    return found


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / _MB:,.2f}"


def _show(result: Result, runs: dict[str, AppRun]) -> None:
    header, cases = ("items x users", *runs), result.cases
    present = [name for name in CLASSES if any(name in case["keys"] for case in cases)]
    result.tables += [
        Table(
            "Bytes in Redis by class of keys, MB",
            header,
            [
                ("events", *(f"{case['events']:,}" for case in cases)),
                *((name, *(_mb(_keys(case, name)["bytes"]) for case in cases)) for name in present),
                ("all", *(_mb(case["redis_used_bytes"]) for case in cases)),
            ],
        ),
        Table(
            "The worker",
            header,
            [
                ("items with a list", *(f"{_keys(case, 'lists')['keys']:,}" for case in cases)),
                ("events/s", *(f"{case['events_per_s']:,.0f}" for case in cases)),
                ("CPU us/event", *(f"{case['cpu_us_per_event']:.1f}" for case in cases)),
                ("peak MB", *(_mb(case["peak_rss_bytes"]) for case in cases)),
                ("slowest call", *(case["slowest_call"] for case in cases)),
                ("ms", *(f"{case['slowest_call_ms']:.1f}" for case in cases)),
            ],
        ),
    ]
    result.plots.append(
        Plot(
            "Cost of an event over the size of the state",
            "events in the state",
            "CPU us/event",
            {name: one.over_state() for name, one in runs.items()},
            log_x=True,
        )
    )
    result.notes.append(
        f"every user has {_EVENTS_PER_USER} events, so pairs an event are the same at all sizes; "
        "of large classes a sample of 1,000 keys was asked for its memory; the slowest call is "
        "what Redis says itself, from the first record to the last list"
    )
