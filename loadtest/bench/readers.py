"""Load test. Scenario `readers`: what frontends get while a worker writes as fast as it can."""

from collections import Counter
from typing import Any

from loadtest.bench.app_run import audited, outcome, workers
from loadtest.bench.bench import Bench
from loadtest.bench.result import Plot, Result, Table
from loadtest.bench.source import Source, fill, halves
from loadtest.bench.stage import Stage
from loadtest.bench.watch import Watch
from streamapp.eventlog import read_log

ID = "readers"
_RUN = "app"
_MODULE = "loadtest.bench.reader"
_CALM_S = 5.0
_KEYS = 5_000


def run(bench: Bench) -> Result:
    """Measure the client against PING and GET without a worker, then against a busy one."""
    with bench.stage() as stage:
        stage.make_topics(_RUN)
        whole = bench.source(stage.folder)
        first, second = halves(whole, stage.folder)
        fill(stage, _RUN, first, bench.events_per_record, bench.begin("filling"))
        step = bench.begin("lists to read")
        settings = stage.settings(_RUN)
        with stage.redis() as redis:
            with workers(stage, _RUN) as started, Watch(settings, redis, started) as watch:
                watch.settled(bench.timeout_s, step)
            keys = _popular(stage, first)
            found = {}
            for name, asked in (("ping", []), ("get", keys)):
                bench.begin(f"{name}, no worker")
                found[name] = _read(bench, stage, asked, _CALM_S).hear(bench.timeout_s)
            fill(stage, _RUN, second, bench.events_per_record, bench.begin("filling"))
            step = bench.begin("get, worker at full load")
            with workers(stage, _RUN) as started, Watch(settings, redis, started) as watch:
                reader = _read(bench, stage, keys, 0.0)
                watch.settled(bench.timeout_s, step)
                reader.say({})
                found["busy"] = reader.hear(bench.timeout_s)
        bench.begin("audit")
        audited(stage, _RUN, whole.files)
    writing = outcome(watch.samples)
    result = Result(ID, [{"id": f"{ID}/{name}", **one} for name, one in found.items()])
    result.cases[-1]["writer"] = writing.as_dict()
    _show(result, found, bench)
    result.notes.append(
        f"meanwhile the worker applied {writing.events_per_s:,.0f} events a second; "
        "ping and get are the ceilings of this very client, with no worker beside it"
    )
    return result


def _popular(stage: Stage, source: Source) -> list[str]:
    """Return the keys of the most popular items that have a list, the best first."""
    counts = Counter(event.item_id for event in read_log(source.files))
    prefix = stage.settings(_RUN).list_prefix
    keys = [f"{prefix}item:{item}" for item, _ in counts.most_common(_KEYS)]
    with stage.redis() as redis:
        values: Any = redis.mget(keys)
    return [key for key, value in zip(keys, values, strict=True) if value]


def _read(bench: Bench, stage: Stage, keys: list[str], duration_s: float) -> Any:
    asked = {"keys": keys, "clients": bench.clients, "duration_s": duration_s, "seed": bench.seed}
    return stage.program(_RUN, _MODULE, asked)


def _show(result: Result, found: dict[str, dict[str, Any]], bench: Bench) -> None:
    result.tables.append(
        Table(
            f"{bench.clients} readers, each with a connection",
            ("case", "reads/s", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms", "misses"),
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
