"""The acts: a log is replayed, a visitor comes, and the state is audited."""

import asyncio
import csv
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from redis.asyncio import Redis

from demo.demo_env import DemoEnv
from loadtest.replay import Replay
from loadtest.schedule import at_once
from streamapp.cli.reports.lag import Lag, wait_until_drained
from streamapp.cli.session import existing_partitions, redis_session, state_topics
from streamapp.cli.terminal.console import progress
from streamapp.errors import StreamappError
from streamapp.eventlog import LoggedEvent
from streamapp.importing.router import Router
from streamapp.store.slot.head import HistoriesHead
from streamapp.transport.producer import Producer

_DRAINED_S = 120.0
_SHOWN_S = 10.0
_POLL_INTERVAL_S = 0.001
_LOOK_INTERVAL_S = 0.5

Entry = dict[str, Any]
"""An entry of a list: `id`, `score`, `support`."""


class Moment(NamedTuple):
    """The effect of a visitor on a list.

    Attributes:
        elapsed_s: From just before the events were sent until the key showed them.
        before: The entry before the events.
        after: The entry as the key first showed it.
    """

    elapsed_s: float
    before: Entry
    after: Entry


@dataclass(frozen=True, slots=True)
class Acts:
    """The acts on an open demo environment.

    Attributes:
        env: Its worker is ready.
        redis: A client that returns bytes.
        publisher: Started.
        layout: Number of partitions by topic.
    """

    env: DemoEnv
    redis: Redis
    publisher: Producer
    layout: dict[str, int]

    async def replay(self, events: Sequence[LoggedEvent]) -> float:
        """Send events, and return how many seconds later all of them are in all lists.

        Raises:
            StreamappError: a part of the environment ended, or it takes too long.
        """
        settings, total = self.env.settings, len(events)
        began = time.monotonic()
        with progress() as begin:
            step = begin("sending events")
            await self._send(events, lambda done: step(done, total))
            step = begin("counting, and bringing lists up to date")

            def tell(lag: Lag) -> None:
                self.env.check()
                applied = (
                    head.applied for head in lag.of(HistoriesHead, settings.interactions_topic)
                )
                step(sum(applied), total)

            await wait_until_drained(self.redis, settings, self.layout, _DRAINED_S, tell)
        return time.monotonic() - began

    async def read(self, item: str) -> bytes:
        """Return the value of an item's list key.

        Raises:
            StreamappError: there is no such key.
        """
        content: bytes | None = await self.redis.get(self.key(item))  # type: ignore[assignment]
        if content is None:
            raise StreamappError(f"there is no list under {self.key(item)}")
        return content

    def key(self, item: str) -> str:
        """Return the key of an item's list."""
        return f"{self.env.settings.list_prefix}item:{item}"

    async def visit(self, clicks: Sequence[LoggedEvent]) -> Moment:
        """Send a new visitor's two clicks, and watch the list of the first item.

        Raises:
            StreamappError: the list does not show them in time.
        """
        item, other = (click.item_id for click in clicks)
        before = after = await self._entry(item, other)
        began = time.perf_counter()
        sending = asyncio.create_task(self._send(clicks, lambda _: None))
        while after["support"] <= before["support"]:
            if time.perf_counter() - began > _SHOWN_S:
                raise StreamappError(f"{self.key(item)} shows no click after {_SHOWN_S:g} s")
            await asyncio.sleep(_POLL_INTERVAL_S)
            after = await self._entry(item, other)
        elapsed_s = time.perf_counter() - began
        await sending
        return Moment(elapsed_s, before, after)

    async def list_for(self, user: str, because: str) -> list[Entry]:
        """Return the entries of a user's list, as soon as some are there because of an item.

        Raises:
            StreamappError: there is no such list in time.
        """
        key, began = f"{self.env.settings.list_prefix}user:{user}", time.perf_counter()
        while time.perf_counter() - began < _SHOWN_S:
            content: bytes | None = await self.redis.get(key)  # type: ignore[assignment]
            entries: list[Entry] = orjson.loads(content)["items"] if content else []
            if any(entry.get("because") == because for entry in entries):
                return entries
            await asyncio.sleep(_POLL_INTERVAL_S)
        raise StreamappError(f"{key} shows nothing because of {because} after {_SHOWN_S:g} s")

    async def _send(self, events: Sequence[LoggedEvent], tell: Callable[[int], None]) -> None:
        router = Router(self.env.settings, None)
        replay = Replay(self.publisher, router, self.layout, tell)
        sending = asyncio.create_task(replay.run(events, at_once))
        try:
            while not sending.done():
                await asyncio.wait({sending}, timeout=_LOOK_INTERVAL_S)
                self.env.check()
            await sending
        finally:
            sending.cancel()

    async def _entry(self, item: str, other: str) -> Entry:
        entries: list[Entry] = orjson.loads(await self.read(item))["items"]
        return next((entry for entry in entries if entry["id"] == other), {"support": 0})


@asynccontextmanager
async def acts_on(env: DemoEnv) -> AsyncIterator[Acts]:
    """Yield the acts of a demo environment, connected to its servers."""
    publisher = Producer(env.settings)
    async with redis_session(env.settings) as redis:
        layout = await existing_partitions(env.settings, state_topics(env.settings))
        await publisher.start()
        try:
            yield Acts(env, redis, publisher, layout)
        finally:
            await publisher.stop()


def write_log(path: Path, events: Iterable[LoggedEvent]) -> Path:
    """Write an event log, for the audit."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(LoggedEvent._fields)
        writer.writerows(events)
    return path


def audit(logs: Iterable[Path]) -> dict[str, Any]:
    """Return the report of `streamapp audit` on event logs that hold all events.

    Raises:
        StreamappError: it could not compare, or found a difference.
    """
    command = [sys.executable, "-m", "streamapp", "audit", "--json"]
    command += [argument for log in logs for argument in ("--log", str(log))]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)  # noqa: S603 - our own
    if not done.stdout:
        raise StreamappError("the audit could not compare")
    report: dict[str, Any] = orjson.loads(done.stdout)
    if report["differences"]:
        raise StreamappError(
            f"the audit found {report['differences']} differences: {report['examples'][0]}"
        )
    return report
