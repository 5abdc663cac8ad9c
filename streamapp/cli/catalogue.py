"""`streamapp catalogue`: sends what of a feed differs from the topic of the catalogue."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import typer

from streamapp.cli.session import existing_partitions, one_line_errors
from streamapp.cli.terminal.console import Step, print_json, print_table, progress
from streamapp.config.loader import load_settings
from streamapp.config.settings import Settings
from streamapp.core.events.catalogue_record import Product
from streamapp.errors import ConfigError, StreamappError
from streamapp.feeds.comparison import Comparison, Difference
from streamapp.feeds.feed_reader import FeedReader
from streamapp.feeds.fetching.location import local_file, shown_feed
from streamapp.feeds.formats import Rows, reader_of
from streamapp.feeds.published import Published
from streamapp.importing.partitions import partitions_of
from streamapp.printable import visible
from streamapp.transport.offsets import read_offsets
from streamapp.transport.producer import Outgoing, Producer
from streamapp.transport.records import TP
from streamapp.transport.topic_scan import Span, scan

_Begin = Callable[[str], Step]

_BUNDLE = 5_000
"""Records that are sent at a time."""

_STEP = 1_000
"""Rows between two steps of the progress bar."""


class Request(NamedTuple):
    """What the command line asks for.

    Attributes:
        feed: The name of a file, or an address.
        format: The name of its format.
        is_dry: Whether nothing is sent.
        is_forced: Whether an empty feed and one that has shrunk are sent, too.
    """

    feed: str
    format: str
    is_dry: bool
    is_forced: bool


class _Result(NamedTuple):
    """What was found in a feed."""

    reader: FeedReader
    comparison: Comparison
    difference: Difference


def send_feed(request: Request, as_json: bool) -> None:
    """Compare a feed with the topic, send what differs, and say so.

    Nothing is sent before the whole feed was read.

    Raises:
        ConfigError: an argument is wrong, there is no catalogue, or the feed is malformed.
        StreamappError: the feed is empty or has shrunk, cannot be fetched, or Kafka fails.

    Memory: about 400 bytes an item of the topic, and the products that differ.
    """
    rows = reader_of(request.format)
    settings = load_settings()
    topic = settings.catalogue_topic
    if not topic:
        raise ConfigError("STREAMAPP_CATALOGUE_TOPIC names no topic, so there is no catalogue")
    with progress() as begin, local_file(request.feed, begin("Fetching the feed, bytes")) as path:
        partitions, published = asyncio.run(_published(settings, topic, begin))
        comparison = Comparison(published.products)
        reader = FeedReader(comparison)
        _read(rows, path, reader, begin)
    result = _Result(reader, comparison, comparison.difference())
    refusal = "" if request.is_forced else _refusal(shown_feed(request.feed), result)
    sent = 0
    if not (request.is_dry or refusal):
        with progress() as begin:
            sent = asyncio.run(_send(settings, topic, partitions, result.difference, begin))
    if as_json:
        print_json(_report(result, sent, refusal))
    else:
        _print(result, is_sent=not (request.is_dry or refusal))
    if refusal:
        raise StreamappError(refusal)


async def _published(settings: Settings, topic: str, begin: _Begin) -> tuple[int, Published]:
    """Return the number of partitions of the topic, and its last record of each item."""
    published = Published(settings.max_record_bytes)
    with one_line_errors():
        partitions = (await existing_partitions(settings, [topic]))[topic]
        offsets = await read_offsets(settings, [TP(topic, one) for one in range(partitions)], {})
        spans = [Span(tp, known.beginning, known.end) for tp, known in offsets.items()]
        total, before = sum(max(0, span.end - span.start) for span in spans), 0
        step = begin("Reading the topic")
        async with aclosing(scan(settings, spans)) as parts:
            async for span, records, position in parts:
                published.take(records)
                step(before + position - span.start, total)
                if position >= span.end:
                    before += span.end - span.start
    return partitions, published


def _read(rows: Rows, path: Path, reader: FeedReader, begin: _Begin) -> None:
    step = begin("Reading the feed, rows")
    for row in rows(path):
        reader.take(row)
        if not reader.rows % _STEP:
            step(reader.rows, None)


def _refusal(feed: str, result: _Result) -> str:
    """Return why a feed is not sent; "" if it is."""
    if not result.comparison.items:
        return f"{feed}: the feed has no item that can be used; nothing was sent (see --force)"
    if result.difference.has_shrunk:
        gone, available = len(result.difference.gone), result.difference.available
        return (
            f"{feed}: {gone:,} of {available:,} available items are missing, more than 30 %; "
            "nothing was sent; if that is right, use --force"
        )
    return ""


async def _send(
    settings: Settings, topic: str, partitions: int, difference: Difference, begin: _Begin
) -> int:
    """Send what differs, each record keyed by its item; return how many records."""
    products = [
        *difference.new.items(),
        *difference.changed.items(),
        *difference.gone.items(),
    ]
    if not products:
        return 0
    step, sent = begin("Sending"), 0
    with one_line_errors():
        producer = Producer(settings)
        await producer.start()
        try:
            for start in range(0, len(products), _BUNDLE):
                some = products[start : start + _BUNDLE]
                keys = [item.encode() for item, _ in some]
                bundle: dict[tuple[str, int], list[Outgoing]] = {}
                for key, partition, (item, product) in zip(
                    keys, partitions_of(keys, partitions), some, strict=True
                ):
                    bundle.setdefault((topic, partition), []).append(
                        Outgoing(_record(item, product), key)
                    )
                await producer.deliver(bundle)
                sent += len(some)
                step(sent, len(products))
        except StreamappError as error:
            raise type(error)(f"{error}; {sent:,} records were sent before") from None
        finally:
            await producer.stop()
    return sent


def _record(item: str, product: Product) -> bytes:
    """Return the value of the record of an item."""
    value: dict[str, Any] = {"item_id": item, "available": product.available}
    if product.title:
        value["title"] = product.title
    if product.category:
        value["category"] = product.category
    return orjson.dumps(value)


def _report(result: _Result, sent: int, refusal: str) -> dict[str, Any]:
    reader, comparison, difference = result
    return {
        "rows": reader.rows,
        "items": comparison.items,
        "new": len(difference.new),
        "changed": len(difference.changed),
        "gone": len(difference.gone),
        "unchanged": difference.unchanged,
        "repeated": comparison.repeated,
        "refused": dict(reader.refused),
        "examples": {
            code: {"place": place, "message": message, "row": text}
            for code, (place, message, text) in reader.examples.items()
        },
        "unknown_availability": dict(reader.unknown_words),
        "sent": sent,
        "refusal": refusal or None,
    }


def _print(result: _Result, *, is_sent: bool) -> None:
    reader, comparison, difference = result
    rows = [
        ("new", len(difference.new)),
        ("changed", len(difference.changed)),
        ("gone, now unavailable", len(difference.gone)),
        ("unchanged", difference.unchanged),
    ]
    if comparison.repeated:
        rows.append(("repeated in the feed, the last one counts", comparison.repeated))
    rows += [(f"refused, {code}", count) for code, count in reader.refused.items()]
    rows += [
        (f"available, by the unknown word {word!r}", count)
        for word, count in reader.unknown_words.items()
    ]
    end = "" if is_sent else ", nothing was sent"
    print_table(f"{comparison.items:,} items of the feed{end}", ("what", "number"), rows)
    for place, message, text in reader.examples.values():
        typer.echo(visible(f"first refused, {place}: {message}: {text}"))
