"""`streamapp import`: sends the events of files to the event topics."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import typer

from streamapp.cli.session import existing_partitions, one_line_errors
from streamapp.cli.terminal.console import Step, print_json, print_table, progress
from streamapp.config.loader import load_settings
from streamapp.config.settings import Settings
from streamapp.errors import StreamappError
from streamapp.eventlog.readable import readable
from streamapp.importing.csv_source import CsvForm
from streamapp.importing.files import source_of
from streamapp.importing.judge import Accepted, Judge
from streamapp.importing.mapping import FieldMapping
from streamapp.importing.router import Router
from streamapp.importing.sender import Sender
from streamapp.importing.source import Source
from streamapp.importing.tally import Tally
from streamapp.printable import visible
from streamapp.transport.producer import Producer

_Begin = Callable[[str], Step]


class Request(NamedTuple):
    """What the command line asks for.

    Attributes:
        files: The files, in the order in which they are sent.
        format: The format of all files; empty to tell by their names.
        mapping: The columns of the fields, and the names of types.
        form: What is known of CSV files.
        is_dry: Whether nothing is sent.
    """

    files: Sequence[Path]
    format: str
    mapping: FieldMapping
    form: CsvForm
    is_dry: bool


def import_files(request: Request, as_json: bool) -> None:
    """Check files, send the events that count, and say what becomes of the lines.

    Raises:
        ConfigError: a file cannot be read to its end; nothing was sent.
        StreamappError: no event would count, or Kafka fails.
    """
    settings = load_settings()
    router = Router(settings, None)
    sources = {
        path: source_of(path, request.format, request.mapping, request.form)
        for path in request.files
    }
    with progress() as begin:
        judge = Judge(settings, router, request.mapping)
        for _ in _accepted(sources, judge, begin, encodes=False):
            pass
        sent: dict[str, int] = {}
        if not request.is_dry and judge.tally.counted:
            again = Judge(settings, router, request.mapping)
            sent = asyncio.run(_send(settings, router, sources, again, begin))
    _report(judge.tally, sent, as_json, is_dry=request.is_dry)
    if judge.tally.lines and not judge.tally.counted:
        raise StreamappError("nothing was sent: no line is an event that counts")


def _accepted(
    sources: dict[Path, Source], judge: Judge, begin: _Begin, *, encodes: bool
) -> Iterator[Accepted]:
    """Yield the events of each portion that count; a check looks through each file first."""
    for path, source in sources.items():
        step = begin(f"{'sending' if encodes else 'checking'} {visible(path.name)}, bytes")
        with readable(path):
            if not encodes:
                source.check()
            for portion in source.portions():
                yield judge.take(portion, encodes=encodes)
                step(portion.done, source.size)


async def _send(
    settings: Settings, router: Router, sources: dict[Path, Source], judge: Judge, begin: _Begin
) -> dict[str, int]:
    """Send the events that count; return their number by topic."""
    with one_line_errors():
        partitions = await existing_partitions(settings, router.topics)
        producer = Producer(settings)
        await producer.start()
        sender = Sender(producer, partitions)
        try:
            for events in _accepted(sources, judge, begin, encodes=True):
                await sender.send(events)
            await sender.finish()
        except StreamappError as error:
            sent = sum(sender.sent.values())
            raise type(error)(f"{error}; {sent:,} events were sent before") from None
        finally:
            sender.stop()
            await producer.stop()
    return sender.sent


def _report(tally: Tally, sent: dict[str, int], as_json: bool, *, is_dry: bool) -> None:
    if as_json:
        print_json({
            "lines": tally.lines,
            "counted": tally.counted,
            "skipped": dict(tally.skipped),
            "refused": dict(tally.refused),
            "examples": {code: {"message": message, "event": event}
                         for code, (message, event) in tally.examples.items()},
            "sent": sent,
        })  # fmt: skip
        return
    rows = [("events that count", tally.counted)]
    rows += [(f"skipped, of unknown type {name!r}", some) for name, some in tally.skipped.items()]
    rows += [(f"refused, {code}", some) for code, some in tally.refused.items()]
    rows += [(f"sent to {topic}", count) for topic, count in sent.items()]
    print_table(
        f"{tally.lines:,} lines{', nothing was sent' if is_dry else ''}", ("what", "number"), rows
    )
    for message, event in tally.examples.values():
        typer.echo(visible(f"first refused, {message}: {event}"))
