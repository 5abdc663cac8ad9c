"""Parts of partitions are read in order, each to its end, and a few records at a time."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest

from streamapp.config.settings import Settings
from streamapp.errors import UnansweredError
from streamapp.transport import topic_scan
from streamapp.transport.records import TP
from streamapp.transport.topic_scan import Span, scan

FIRST, SECOND = TP("clicks.dlq", 0), TP("clicks.dlq", 1)
SETTINGS = Settings(_env_file=None)


@dataclass
class Stored:
    """A record, as far as reading looks at it."""

    offset: int


class Log:
    """A client of aiokafka on partitions that are in memory.

    Args:
        offsets: The offsets that hold a record, by partition.
        ends: Where each partition ends.
        step: Most records of one answer; 0 of a broker that does not answer.
    """

    def __init__(self, offsets: dict[TP, Iterable[int]], ends: dict[TP, int], step: int) -> None:
        self.offsets = {tp: sorted(some) for tp, some in offsets.items()}
        self.ends = ends
        self.step = step
        self.positions: dict[Any, int] = {}
        self.reads: list[tuple[Any, int]] = []
        self.stopped = False

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Disconnect; aiokafka fails here if it has read nothing."""
        assert self.reads
        self.stopped = True

    def assign(self, tps: Sequence[Any]) -> None:
        """Read these partitions only."""
        self.positions = dict.fromkeys(tps, 0)

    def seek(self, tp: Any, offset: int) -> None:
        """Read on from an offset."""
        self.positions[tp] = offset

    async def position(self, tp: Any) -> int:
        """Return the offset of the next read."""
        return self.positions[tp]

    async def getmany(self, tp: Any, *, timeout_ms: int, max_records: int) -> dict[Any, list[Any]]:
        """Return some records."""
        assert timeout_ms > 0
        start = self.positions[tp]
        self.reads.append((tp, start))
        if not self.step:
            await asyncio.Event().wait()
        left = [one for one in self.offsets[TP(*tp)] if one >= start]
        found = left[: min(self.step, max_records)]
        self.positions[tp] = found[-1] + 1 if len(found) < len(left) else self.ends[TP(*tp)]
        return {tp: [Stored(one) for one in found]} if found else {}


def client(monkeypatch: pytest.MonkeyPatch, log: Log) -> Log:
    """Let `scan` read a log."""
    monkeypatch.setattr(topic_scan, "AIOKafkaConsumer", lambda **_: log)
    return log


async def read(*spans: Span) -> list[tuple[TP, list[int], int]]:
    """Return all that is read."""
    async with aclosing(scan(SETTINGS, spans)) as parts:
        return [(span.tp, [one.offset for one in some], at) async for span, some, at in parts]


async def test_spans_come_one_after_the_other_and_end_where_they_should(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Though the partition has grown in the meantime, and an answer goes further."""
    log = client(monkeypatch, Log({FIRST: range(10), SECOND: range(3)}, {FIRST: 10, SECOND: 3}, 4))
    assert await read(Span(SECOND, 1, 3), Span(FIRST, 0, 6)) == [
        (SECOND, [1, 2], 3),
        (FIRST, [0, 1, 2, 3], 4),
        (FIRST, [4, 5], 6),
    ]
    assert log.stopped


async def test_offsets_without_a_record_are_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compaction and transactions leave some, also at the end."""
    client(monkeypatch, Log({FIRST: [2, 7]}, {FIRST: 9}, 1))
    assert await read(Span(FIRST, 0, 9)) == [(FIRST, [2], 3), (FIRST, [7], 9)]


async def test_records_of_aborted_transactions_are_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The client is asked for what workers read, from the first record that is still there."""
    log, asked = Log({FIRST: range(2)}, {FIRST: 2}, 2), {}

    def made(**options: Any) -> Log:
        asked.update(options)
        return log

    monkeypatch.setattr(topic_scan, "AIOKafkaConsumer", made)
    assert await read(Span(FIRST, 0, 2)) == [(FIRST, [0, 1], 2)]
    assert asked["isolation_level"] == "read_committed"
    assert asked["auto_offset_reset"] == "earliest"


async def test_where_nothing_is_to_be_read_nobody_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a topic that is empty, or of a start behind its end."""
    log = client(monkeypatch, Log({FIRST: []}, {FIRST: 0}, 1))
    assert await read(Span(FIRST, 0, 0), Span(FIRST, 9, 4)) == []
    assert log.reads == []


async def test_who_stops_early_reads_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is stopped."""
    log = client(monkeypatch, Log({FIRST: range(1_000_000)}, {FIRST: 1_000_000}, 10_000))
    async with aclosing(scan(SETTINGS, [Span(FIRST, 0, 1_000_000)])) as parts:
        async for _, records, position in parts:
            assert (len(records), position) == (500, 500)
            break
    assert log.stopped
    assert len(log.reads) == 1


async def test_a_broker_that_sends_nothing_is_an_error_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command does not wait for ever."""
    monkeypatch.setattr(topic_scan, "_PATIENCE_S", 0.0)
    log = client(monkeypatch, Log({FIRST: range(3)}, {FIRST: 0}, 0))
    with pytest.raises(UnansweredError, match=r"^kafka does not send the records of clicks\.dlq$"):
        await read(Span(FIRST, 0, 3))
    assert log.stopped
