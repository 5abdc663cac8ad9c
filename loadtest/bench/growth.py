"""Scenario `growth`: memory and CPU as items and users grow, and as histories get deeper."""

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
    """Measure a shop of each size, then one of the first size at each history depth.

    In the first shops users have five events each, so an event has as many pairs at all sizes. In
    the others users have as many events as a history holds.
    """
    result, items, users = Result(ID), *bench.sizes[0]
    sizes = {f"{items}x{users}": (items, users, _EVENTS_PER_USER) for items, users in bench.sizes}
    _measure(bench, result, "items x users", sizes, capped=False)
    depths = {f"{items}x{users}-depth{depth}": (items, users, depth) for depth in bench.depths}
    _measure(bench, result, "history depth", depths, capped=True)
    result.notes.append(
        f"users have {_EVENTS_PER_USER} events each, so pairs an event are the same at all sizes; "
        "with a history depth, they have as many events as histories hold items; of large classes "
        "a sample of 1,000 keys was asked for its memory; the slowest call is what Redis says "
        "itself, from the first record to the last list"
    )
    return result


def _measure(
    bench: Bench,
    result: Result,
    title: str,
    shops: dict[str, tuple[int, int, int]],
    *,
    capped: bool,
) -> None:
    """Add shops by the names of their cases: items, users, and the mean events of a user.

    Args:
        bench: For the options.
        result: Gets cases, tables and a plot.
        title: The difference between the shops.
        shops: The shops.
        capped: Whether histories hold as many items as a user has events.
    """
    runs, cases = {}, []
    for name, (items, users, events) in shops.items():
        shop = Shop(users * events, users, items, seed=bench.seed)
        settings = {"history_cap": str(events)} if capped else {}
        runs[name], case = _run(bench, name, shop, settings)
        cases.append({"id": f"{ID}/{name}", **case})
    result.cases += cases
    _show(result, title, runs, cases)


def _run(
    bench: Bench, name: str, shop: Shop, chosen: dict[str, str]
) -> tuple[AppRun, dict[str, Any]]:
    with bench.env(**chosen) as env:
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
        "history_cap": settings.history_cap,
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


def _show(result: Result, title: str, runs: dict[str, AppRun], cases: list[dict[str, Any]]) -> None:
    header = (title, *runs)
    present = [name for name in CLASSES if any(name in case["keys"] for case in cases)]
    result.tables += [
        Table(
            f"Bytes in Redis by class of keys and {title}, MB",
            header,
            [
                ("events", *(f"{case['events']:,}" for case in cases)),
                *((name, *(_mb(_keys(case, name)["bytes"]) for case in cases)) for name in present),
                ("all", *(_mb(case["redis_used_bytes"]) for case in cases)),
            ],
        ),
        Table(
            f"The worker by {title}",
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
            f"Cost of an event over the size of the state, by {title}",
            "events in the state",
            "CPU us/event",
            {name: one.over_state() for name, one in runs.items()},
            log_x=True,
        )
    )
