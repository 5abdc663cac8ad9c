"""Scenario `readers`: the latency of frontends while a worker writes as fast as it can."""

from collections import Counter
from typing import Any

from loadtest.bench.app_run import AppRun, audited, outcome, workers
from loadtest.bench.bench import Bench
from loadtest.bench.bench_env import BenchEnv
from loadtest.bench.process import Process
from loadtest.bench.result import Plot, Result, Table
from loadtest.bench.source import Source, fill, split
from loadtest.bench.watch import Watch
from streamapp.eventlog import read_log

ID = "readers"
_RUN = "app"
_MODULE = "loadtest.bench.reader"
_CALM_S = 5.0
_KEYS = 5_000

_PAGE = 10
"""Lists that a page shows, read by one command."""

_PAGES_PER_S = 5_000
"""How many pages are due; with more, the limit would be a closed loop's own again."""


def run(bench: Bench) -> Result:
    """Measure the client against PING and GET without a worker, then reads beside a busy one."""
    with bench.env() as env:
        env.make_topics(_RUN)
        whole = bench.source(env.folder)
        first, second, third = split(whole, env.folder, 3)
        fill(env, _RUN, first, bench.events_per_record, bench.begin("filling"))
        step = bench.begin("lists to read")
        with (
            env.redis() as redis,
            workers(env, _RUN) as started,
            Watch(env.settings(_RUN), redis, started) as watch,
        ):
            watch.settled(bench.timeout_s, step)
        keys = _popular(env, first)
        found = {}
        for name, asked in (("ping", []), ("get", keys)):
            bench.begin(f"{name}, no worker")
            found[name] = _read(bench, env, asked, duration_s=_CALM_S).hear(bench.timeout_s)
        found["busy"], beside = _beside(bench, env, "busy", second, keys)
        found["pages"], beside_pages = _beside(
            bench, env, "pages", third, keys, keys_each=_PAGE, rate=_PAGES_PER_S
        )
        bench.begin("audit")
        audited(env, _RUN, whole.files)
    result = Result(ID, [{"id": f"{ID}/{name}", **one} for name, one in found.items()])
    for case, writer in zip(result.cases[-2:], (beside, beside_pages), strict=True):
        case["writer"] = writer.as_dict()
    _show(result, found, bench)
    result.notes += [
        (
            f"the worker applied {beside.events_per_s:,.0f} events a second beside busy and "
            f"{beside_pages.events_per_s:,.0f} beside pages; ping and get are the ceilings of this "
            "very client, with no worker beside it"
        ),
        (
            f"pages: {_PAGES_PER_S:,} commands a second are due, each for {_PAGE} lists, and their "
            "latency counts from when they were due; all other cases ask again when answered"
        ),
    ]
    return result


def _beside(
    bench: Bench, env: BenchEnv, name: str, source: Source, keys: list[str], **how: Any
) -> tuple[dict[str, Any], AppRun]:
    """Read while a worker takes a source; return the figures of both."""
    fill(env, _RUN, source, bench.events_per_record, bench.begin("filling"))
    step = bench.begin(f"{name}, worker at full load")
    with (
        env.redis() as redis,
        workers(env, _RUN) as started,
        Watch(env.settings(_RUN), redis, started) as watch,
    ):
        reader = _read(bench, env, keys, **how)
        watch.settled(bench.timeout_s, step)
        reader.say({})
        return reader.hear(bench.timeout_s), outcome(watch.samples)


def _popular(env: BenchEnv, source: Source) -> list[str]:
    """Return the keys of the most popular items that have a list, the best first."""
    counts = Counter(event.item_id for event in read_log(source.files))
    prefix = env.settings(_RUN).list_prefix
    keys = [f"{prefix}item:{item}" for item, _ in counts.most_common(_KEYS)]
    with env.redis() as redis:
        values: Any = redis.mget(keys)
    return [key for key, value in zip(keys, values, strict=True) if value]


def _read(
    bench: Bench,
    env: BenchEnv,
    keys: list[str],
    keys_each: int = 1,
    rate: float = 0.0,
    duration_s: float = 0.0,
) -> Process:
    asked = {
        "keys": keys,
        "keys_each": keys_each,
        "rate": rate,
        "clients": bench.clients,
        "duration_s": duration_s,
        "seed": bench.seed,
    }
    return env.program(_RUN, _MODULE, asked)


def _show(result: Result, found: dict[str, dict[str, Any]], bench: Bench) -> None:
    result.tables.append(
        Table(
            f"{bench.clients} readers, each with a connection",
            ("case", "lists/s", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms", "misses"),
            [
                (
                    name,
                    round(one["reads_per_s"]),
                    *(
                        round(one[percentile], 2)
                        for percentile in ("p50_ms", "p90_ms", "p99_ms", "p99_9_ms", "max_ms")
                    ),
                    one["misses"],
                )
                for name, one in found.items()
            ],
        )
    )
    names = ["p50_ms", "p90_ms", "p99_ms", "p99_9_ms"]
    series = {
        name: ([2.0, 10.0, 100.0, 1000.0], [one[percentile] for percentile in names])
        for name, one in found.items()
    }
    result.plots.append(
        Plot("Latency of a read by percentile", "1 / (1 - quantile)", "ms", series,
             log_x=True, log_y=True)
    )  # fmt: skip
