"""Load test. The commands: `python -m loadtest replay FILE`."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from loadtest.replay import Replay, Router, Summary
from loadtest.schedule import Schedule, choose
from streamapp.cli.console import print_json, print_table, progress
from streamapp.cli.outcome import run
from streamapp.cli.session import existing_partitions, readable
from streamapp.eventlog import read_log
from streamapp.settings import Settings, load_settings
from streamapp.transport.publisher import Publisher

app = typer.Typer(
    name="loadtest",
    help="Load the app with event logs.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
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
    are read twice: whether every line can be read is known before the first event is sent.
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


async def _replay(
    settings: Settings, files: Sequence[Path], schedule: Schedule, topic: str | None
) -> Summary:
    router = Router(settings, topic)
    with readable(), progress() as begin:
        partitions = await existing_partitions(settings, router.topics)
        begin("checking the log")
        total = sum(1 for _ in read_log(files))
        step = begin("sending")
        publisher = Publisher(settings)
        await publisher.start()
        try:
            sending = Replay(publisher, router, partitions, lambda done: step(done, total))
            return await sending.run(read_log(files), schedule)
        finally:
            await publisher.stop()


if __name__ == "__main__":
    run(app, "loadtest")
