"""The commands of `python -m loadtest`: replay, bench, evaluate and tune."""

import asyncio
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from loadtest.precheck import count_events
from loadtest.replay import Replay, Summary
from loadtest.schedule import Schedule, choose
from streamapp.cli.session import existing_partitions, one_line_errors
from streamapp.cli.terminal.console import print_json, print_table, progress
from streamapp.cli.terminal.outcome import HELP, run
from streamapp.config.loader import load_settings
from streamapp.config.rules import event_rules
from streamapp.config.settings import Settings
from streamapp.errors import ConfigError
from streamapp.eventlog import read_log
from streamapp.importing.router import Router
from streamapp.transport.producer import Producer

_RATES, _EVERYDAY_RATES, _SOAK_RATES = "0.25,0.8", "5,50,300,1500", "1500"
_DURATION_S, _SOAK_S = 20.0, 3600.0

app = typer.Typer(
    name="loadtest",
    help="Load the app with event logs.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=HELP,
)


@app.callback()
def _commands() -> None: ...


@app.command()
def replay(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Event logs, CSV or JSON lines.")
    ],
    *,
    rate: Annotated[float | None, typer.Option(metavar="N", help="Send N events a second.")] = None,
    speedup: Annotated[
        float | None, typer.Option(metavar="X", help="Send X times as fast as the log's own times.")
    ] = None,
    as_fast_as_possible: Annotated[
        bool, typer.Option("--max", help="Send as fast as the broker takes it; the default.")
    ] = False,
    topic: Annotated[
        str | None, typer.Option(metavar="NAME", help="Send all events to this topic.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Produce event logs to Kafka, keyed by user, in order.

    An event goes to the topic that implies its type, any other to the first event topic. The logs
    are read twice: whether every line can be read is known before the first event is sent. A log of
    which no event would count is not sent, and the command exits with 1.
    """
    schedule = choose(rate, speedup, as_fast_as_possible)
    summary = asyncio.run(_replay(load_settings(), files, schedule, topic))
    if as_json:
        print_json({
            "events": summary.total,
            "elapsed_s": summary.elapsed_s,
            "events_per_s": summary.events_per_s,
            "latest_s": summary.latest_s,
            "topics": summary.events,
        })  # fmt: skip
        return
    title = f"{summary.total:,} events in {summary.elapsed_s:.2f} s"
    lines: list[tuple[str, float]] = [
        (f"to {name}", count) for name, count in summary.events.items()
    ]
    lines += [("events a second", summary.events_per_s), ("latest event, s late", summary.latest_s)]
    print_table(title, ("what", "value"), lines)


@app.command()
def bench(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(metavar="SCENARIO...", help="Which ones; default all but soak."),
    ] = None,
    *,
    log: Annotated[
        list[Path] | None, typer.Option(help="Event log; default a made-up shop. Repeatable.")
    ] = None,
    events: Annotated[int, typer.Option(min=1_000, help="Events of the made-up shop.")] = 400_000,
    seed: Annotated[int, typer.Option(min=0, help="Of everything made up.")] = 1,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of a case; the median counts.")] = 5,
    slow_events: Annotated[
        int, typer.Option(min=100, help="Events for competitors that are slow.")
    ] = 5_000,
    events_per_record: Annotated[
        int, typer.Option(min=1, max=1_000, help="Events of one record; over 1 an array.")
    ] = 1,
    partitions: Annotated[
        int, typer.Option(min=1, max=1024, help="Partitions of every topic.")
    ] = 4,
    partition_counts: Annotated[
        str,
        typer.Option(metavar="N,...", help="Partitions of the runs of the scenario partitions."),
    ] = "1,4,16,64,256",
    freshness: Annotated[
        float, typer.Option(min=0.001, metavar="S", help="Seconds between periodic rebuilds.")
    ] = 0.5,
    rates: Annotated[
        str | None,
        typer.Option(
            metavar="R,...",
            help=f"Up to 1: shares of the full rate; else events/s. Default {_RATES}; "
            f"of everyday {_EVERYDAY_RATES}; of soak {_SOAK_RATES}.",
        ),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(
            min=1,
            metavar="S",
            help=f"Seconds of load at a rate. Default {_DURATION_S:g}; of soak {_SOAK_S:g}.",
        ),
    ] = None,
    clients: Annotated[int, typer.Option(min=1, max=10_000, help="Readers at once.")] = 32,
    sizes: Annotated[
        str, typer.Option(metavar="ITEMSxUSERS,...", help="Shops of the scenario growth.")
    ] = "10000x10000,100000x100000,1000000x1000000,10000x1000000",
    depths: Annotated[
        str, typer.Option(metavar="N,...", help="History depths of throughput and growth.")
    ] = "4,20,100",
    partners: Annotated[int, typer.Option(min=100, help="Partners of the hot item.")] = 100_000,
    servers: Annotated[
        str, typer.Option(metavar="own|given", help="Embedded ones, or those of the settings.")
    ] = "own",
    timeout: Annotated[float, typer.Option(metavar="S", help="Longest run, seconds.")] = 900.0,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write a report for programs.")
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a report for people.")
    ] = None,
) -> None:
    """Run benchmarks on servers of their own.

    Scenarios: throughput latency readers growth flat hot scale partitions workers everyday soak.

    Exits with 1 where a run is invalid or its audit finds differences; in soak also where a worker
    grows.
    """
    if servers not in {"own", "given"}:
        raise ConfigError(f"--servers {servers}: own or given is needed")
    try:
        command = import_module("loadtest.bench.command")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the benchmark needs {error.name}: run `make bench`, or install the group `bench`"
        ) from None
    options = {
        "files": [file.resolve() for file in log or []],
        "events": events,
        "seed": seed,
        "repeats": repeats,
        "slow_events": slow_events,
        "events_per_record": events_per_record,
        "partitions": partitions,
        "partition_counts": command.counts_of(partition_counts, "--partition-counts", 1024),
        "freshness_s": freshness,
        "duration_s": _DURATION_S if duration is None else duration,
        "rates": command.rates_of(_RATES if rates is None else rates),
        "everyday_rates": command.rates_of(_EVERYDAY_RATES if rates is None else rates),
        "soak_rates": command.rates_of(_SOAK_RATES if rates is None else rates),
        "soak_s": _SOAK_S if duration is None else duration,
        "clients": clients,
        "sizes": command.sizes_of(sizes),
        "depths": command.counts_of(depths, "--depths", 1000),
        "hot_partners": partners,
        "own_servers": servers == "own",
        "timeout_s": timeout,
    }
    command.run_scenarios(scenarios or [], options, json_file, html_file)


@app.command()
def evaluate(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="LOG...", help="Event logs, CSV or JSON lines.")
    ] = None,
    *,
    protocol: Annotated[
        str, typer.Option(metavar="NAME", help="prequential, sessions or split.")
    ] = "prequential",
    test: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Event log whose next items are asked for (sessions)."),
    ] = None,
    lists: Annotated[
        list[str] | None,
        typer.Option(
            "--list",
            metavar="NAME=VALUE,...",
            help="How a list is made: depth damping alpha fading rated binary exclude. Repeatable.",
        ),
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, max=200, help="Most entries of a list; default 20, 10.")
    ] = None,
    history_cap: Annotated[
        int | None, typer.Option(min=1, help="Most items of a history; default the setting.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where MovieLens is kept.")
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write a report for programs; - prints it."),
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a report for people.")
    ] = None,
) -> None:
    """Measure the quality of lists: replay logs through the kernels, without servers."""
    command = import_module("loadtest.evaluation.command")
    request = command.Request(
        protocol, files or [], test, lists or [], top, history_cap, cache or command.CACHE
    )
    command.evaluate(request, load_settings(), json_file, html_file)


@app.command()
def tune(
    files: Annotated[
        list[Path], typer.Argument(metavar="LOG...", help="Event logs, CSV or JSON lines.")
    ],
    *,
    by: Annotated[str, typer.Option(metavar="METRIC", help="mrr, hr or ndcg.")] = "mrr",
    held_out: Annotated[
        float, typer.Option(min=0.01, max=0.9, help="Share of the log's time to ask about.")
    ] = 0.2,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Search the settings that make the best lists for users, and print what to set."""
    command = import_module("loadtest.evaluation.command")
    command.show_tuning(files, load_settings(), by, held_out, as_json)


async def _replay(
    settings: Settings, files: Sequence[Path], schedule: Schedule, topic: str | None
) -> Summary:
    router = Router(settings, topic)
    with one_line_errors(), progress() as begin:
        partitions = await existing_partitions(settings, router.topics)
        begin("checking the log")
        rules = event_rules(settings)
        total = count_events(read_log(files, rules), router, settings)
        step = begin("sending")
        publisher = Producer(settings)
        await publisher.start()
        try:
            sending = Replay(publisher, router, partitions, lambda done: step(done, total))
            return await sending.run(read_log(files, rules), schedule)
        finally:
            await publisher.stop()


if __name__ == "__main__":
    run(app, "loadtest")
