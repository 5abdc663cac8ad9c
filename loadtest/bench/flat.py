"""Scenario `flat`: bytes in Redis over a replay of ten times the history cap."""

from collections.abc import Mapping, Sequence
from typing import Any

from loadtest.bench.app_run import audited, workers
from loadtest.bench.bench import Bench
from loadtest.bench.bench_env import BenchEnv
from loadtest.bench.footprint import CLASSES, measure
from loadtest.bench.result import Plot, Result, Table
from loadtest.bench.shop import Shop
from loadtest.bench.source import fill, made_up, split
from loadtest.bench.watch import Watch

ID = "flat"
_RUN = "app"
_USERS = 2_000
_ITEMS = 1_000
_CAP = 20
TIMES = 10
"""Parts of the log; in each, users have on average as many events as a history holds."""
FULL = 2
"""After this many times the cap, histories are full and their content has settled."""
_MB = 1e6


def run(bench: Bench) -> Result:
    """Send users, time and again, as many events as a history holds; measure after each time."""
    shop = Shop(TIMES * _CAP * _USERS, _USERS, _ITEMS, seed=bench.seed)
    with bench.env(history_cap=str(_CAP)) as env:
        measured = replayed(bench, env, shop)
    case = {
        "id": f"{ID}/cap{_CAP}",
        "shop": shop.as_dict(),
        "history_cap": _CAP,
        "bytes": [_bytes(keys) for keys in measured],
        "rise": rise(measured),
        "keys": measured,
    }
    result = Result(ID, [case])
    _show(result, measured)
    result.notes.append(
        f"{_USERS:,} users, {_ITEMS:,} items, histories of {_CAP} items; the most after "
        f"{FULL} times the cap is {case['rise']:.3f} times what it was then"
    )
    return result


def replayed(bench: Bench, env: BenchEnv, shop: Shop) -> list[dict[str, Any]]:
    """Send a tenth of a shop's log ten times to one worker; return keys and bytes after each.

    Raises:
        StreamappError: the worker ends, or the audit of it all finds differences.
    """
    env.make_topics(_RUN)
    bench.begin(f"making a shop of {shop.events:,} events")
    whole = made_up(shop, env.folder)
    settings, measured = env.settings(_RUN), []
    with env.redis() as redis, workers(env, _RUN) as started:
        for times, part in enumerate(split(whole, env.folder, TIMES), 1):
            about = f"part {times} of {TIMES}"
            fill(env, _RUN, part, bench.events_per_record, bench.begin(f"{about}, filling"))
            with Watch(settings, redis, started) as watch:
                watch.settled(bench.timeout_s, bench.begin(about))
            keys = measure(redis, env.name, settings.list_prefix, settings.state_prefix)
            measured.append(keys)
    bench.begin("audit")
    audited(env, _RUN, whole.files)
    return measured


def rise(measured: Sequence[Mapping[str, Any]]) -> float:
    """Return the most bytes since histories are full, as a multiple of the bytes then."""
    totals = [_bytes(keys) for keys in measured]
    return max(totals[FULL:]) / totals[FULL - 1]


def _bytes(keys: Mapping[str, Any]) -> int:
    return sum(one["bytes"] for one in keys.values())


def _show(result: Result, measured: Sequence[Mapping[str, Any]]) -> None:
    present = [name for name in CLASSES if any(name in keys for keys in measured)]
    times = list(range(1, TIMES + 1))
    series = {
        name: [keys.get(name, {"bytes": 0})["bytes"] / _MB for keys in measured] for name in present
    } | {"all": [_bytes(keys) / _MB for keys in measured]}
    result.tables.append(
        Table(
            "Bytes in Redis by class of keys, MB",
            ("times the cap", *map(str, times)),
            [(name, *(f"{value:,.1f}" for value in values)) for name, values in series.items()],
        )
    )
    points = {name: ([float(at) for at in times], values) for name, values in series.items()}
    result.plots.append(Plot("Bytes in Redis", "times the cap", "MB", points))
