"""Scenario `latency`: from the scheduled moment of an event until others can see it."""

from loadtest.bench.bench import Bench
from loadtest.bench.bench_env import BenchEnv
from loadtest.bench.open_run import Load, OpenRun, open_run
from loadtest.bench.probes import spread
from loadtest.bench.rates import named_rates
from loadtest.bench.result import Plot, Result, Table
from loadtest.bench.source import made_up

ID = "latency"
WARM_UP_S = 3.0
PROBES_EACH_S = 25
_IDLE_EVERY_S = 0.5
_COLUMNS = ("case", "events/s", "to", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms")
_PERCENTILES = ("p50_ms", "p90_ms", "p99_ms", "p99_9_ms", "max_ms")


def run(bench: Bench) -> Result:
    """Measure single events while idle, then events under load at each rate."""
    result = Result(ID)
    runs = {}
    idle_s = WARM_UP_S + bench.duration_s
    with bench.env() as env:
        runs["idle"] = _run(bench, env, "idle", 0.0, idle_s, _IDLE_EVERY_S)
    for name, rate in named_rates(bench, bench.rates):
        bench.begin(f"{name}, {rate:,.0f} events a second")
        with bench.env() as env:
            runs[name] = _run(bench, env, name, rate, idle_s, 1 / PROBES_EACH_S)
    show(result, runs)
    result.notes += [
        (
            "latency is counted from the moment at which an event was due, so a load or a broker "
            "that falls behind makes it longer; a run whose load was late is invalid; a "
            "log that is over begins again with other users"
        ),
        (
            "a probe is an event on an item of its own, by a user who clicked a popular one "
            "before; it shows when that item has a list"
        ),
        (
            "key: to the Redis key; topic: to the record on the output topic; load late: how late "
            "events were sent"
        ),
        (
            "what is due within 5 ms is sent together, and keys are looked at every 4 ms, both of "
            "which count as latency; the first seconds are warm-up and have no probes"
        ),
    ]
    return result


def _run(
    bench: Bench, env: BenchEnv, run: str, rate: float, duration_s: float, every_s: float
) -> OpenRun:
    env.make_topics(run)
    probes = spread(
        f"{run}-probe",
        count=round((duration_s - WARM_UP_S) / every_s),
        from_s=WARM_UP_S,
        every_s=every_s,
        beside="sku-0",
        shared=False,
        seed=bench.seed,
    )
    files = bench.files
    if rate and not files:
        events = round(rate * duration_s) + 1
        files = list(made_up(bench.shop(events), env.folder).files)
    return open_run(bench, env, run, Load(rate, duration_s, files), probes, [])


def show(result: Result, runs: dict[str, OpenRun]) -> None:
    """Add the results of open-loop runs."""
    rows = []
    for name, one in runs.items():
        late = one.figures["load"]["lateness"]
        for where, found in (("key", one.key.as_dict()), ("topic", one.topic.as_dict()),
                             ("load late", late)):  # fmt: skip
            figures = (found[percentile] for percentile in _PERCENTILES)
            rows.append((
                name, round(one.figures["rate"]), where, *(round(one, 1) for one in figures),
            ))  # fmt: skip
        result.cases.append({"id": f"{result.scenario}/{name}", **one.figures})
        result.faults += one.faults
        busy = one.figures["cpus_busy"]
        result.notes.append(
            f"{name}: the worker's CPUs were busy for {busy['measured']:.0%} of the time, those of "
            f"servers and load for {busy['rest']:.0%}; what is full makes others wait"
        )
    result.tables.append(Table("Latency from the intended moment", _COLUMNS, rows))
    result.plots.append(
        Plot(
            "Latency to the Redis key by percentile (10: 90 %, 100: 99 %)",
            "1 / (1 - quantile)",
            "ms",
            {name: one.key.curve() for name, one in runs.items()},
            log_x=True,
            log_y=True,
        )
    )
