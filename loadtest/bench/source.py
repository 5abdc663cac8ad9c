"""The source: the event log of a scenario, and the topic that is filled with it."""

import asyncio
import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from loadtest.bench.bench_env import BenchEnv
from loadtest.bench.shop import Shop
from loadtest.replay import Replay
from loadtest.schedule import at_once
from streamapp.cli.session import existing_partitions
from streamapp.cli.terminal.console import Step
from streamapp.eventlog import LoggedEvent, read_log
from streamapp.importing.router import Router
from streamapp.transport.offsets import read_offsets
from streamapp.transport.producer import Producer
from streamapp.transport.records import TP


@dataclass(frozen=True, slots=True)
class Source:
    """An event log.

    Attributes:
        files: Its files.
        events: How many events they hold.
        about: Its description in JSON form.
    """

    files: Sequence[Path]
    events: int
    about: dict[str, Any]


def given(files: Sequence[Path]) -> Source:
    """Return the source of given files.

    Raises:
        ConfigError: a file cannot be read.
    """
    events = sum(1 for _ in read_log(files))
    return Source(files, events, {"files": [file.name for file in files], "events": events})


def made_up(shop: Shop, folder: Path, name: str = "shop") -> Source:
    """Return the source of a made-up shop, written to `folder`."""
    path = folder / f"{name}.csv"
    return Source([path], write_log(path, shop), {"made_up": shop.as_dict()})


def split(source: Source, folder: Path, count: int) -> list[Source]:
    """Return a source as `count` logs of about the same size, in `folder`."""
    events = read_log(source.files)
    parts = []
    for number in range(count):
        path = folder / f"part{number}.csv"
        size = source.events // count if number < count - 1 else source.events
        parts.append(Source([path], write_log(path, islice(events, size)), {"part": number}))
    return parts


def write_log(path: Path, events: Iterable[LoggedEvent]) -> int:
    """Write an event log as CSV; return how many events it holds."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(LoggedEvent._fields)
        return sum(1 for event in events if writer.writerow(event))


def fill(env: BenchEnv, run: str, source: Source, events_per_record: int, tell: Step) -> int:
    """Produce a source to the event topic, keyed by user, as fast as the broker takes it.

    Returns:
        How many records the topic holds.
    """
    return asyncio.run(_fill(env, run, source, events_per_record, tell))


async def _fill(env: BenchEnv, run: str, source: Source, events_per_record: int, tell: Step) -> int:
    settings = env.settings(run)
    partitions = await existing_partitions(settings, [env.topic])
    publisher = Producer(settings)
    await publisher.start()
    try:
        replay = Replay(
            publisher,
            Router(settings, env.topic),
            partitions,
            lambda done: tell(done, source.events),
            events_per_record,
        )
        await replay.run(read_log(source.files), at_once)
    finally:
        await publisher.stop()
    tps = [TP(env.topic, number) for number in range(partitions[env.topic])]
    return sum(known.end for known in (await read_offsets(settings, tps, {})).values())
