"""Agents. Intake: event records -> cuts of interactions, each in the partition of its user.

Intake has no state but its position in each event partition. It sends a cut, waits until the broker
has it and the dead letters, and only then moves the positions: what it sends twice is dropped by
the fences of whoever reads it, and nothing is left out.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from faust.types import TP

from streamapp import __version__
from streamapp.agents.opening import open_slot
from streamapp.agents.outside import Outside
from streamapp.core.event import EventReader, raw_elements
from streamapp.core.interactions import CutBuilder, Source, partition_of
from streamapp.errors import BadEventError
from streamapp.store.keys import SlotKeys, intake_tag
from streamapp.store.slot import Head, Slot
from streamapp.transport.publisher import Outgoing
from streamapp.transport.records import KafkaRecord, Mark, Offsets, RecordBatch

_CUT_BYTES = 2_000_000
"""Bytes of event records that make one cut at most, so that a cut fits into a message."""


@dataclass(slots=True)
class _Cut:
    """A cut in the making."""

    sources: list[Source] = field(default_factory=list)
    builders: dict[int, CutBuilder] = field(default_factory=dict)
    letters: dict[tuple[str, int], list[Outgoing]] = field(default_factory=dict)
    marks: dict[TP, Mark] = field(default_factory=dict)

    def builder(self, partition: int) -> CutBuilder:
        return self.builders.setdefault(partition, CutBuilder())


class Intake:
    """The stage of all event partitions that a worker has."""

    def __init__(self, outside: Outside) -> None:
        settings = outside.settings
        self._outside = outside
        self._settings = settings
        self._redis = outside.redis
        self._publisher = outside.publisher
        self._failpoints = outside.failpoints
        self._slots: dict[TP, Slot] = {}
        self._positions: dict[TP, int] = {}
        self._marks: dict[TP, Mark | None] = {}
        self._readers = {
            topic: EventReader(settings.event_rules, topic) for topic in settings.event_topics
        }
        self._generation = ""
        self._partitions = 0
        self._letter_partitions: dict[str, int] = {}

    async def open(self, offsets: Mapping[TP, Offsets], *, doubt: bool) -> Mapping[TP, int]:
        """Read the positions in the event partitions."""
        self._partitions = await self._publisher.partitions(self._settings.interactions_topic)
        for tp, known in offsets.items():
            keys = SlotKeys(self._settings.state_prefix, intake_tag(tp.topic, tp.partition))
            self._slots[tp] = Slot(self._redis, keys)
            head = await open_slot(self._outside, self._slots[tp], tp, known, "")
            self._generation = self._slots[tp].generation
            self._positions[tp] = head.position
            self._marks[tp] = Mark.decode(head.fields.get("mark", b""))
        return dict(self._positions)

    async def apply(self, batches: Sequence[RecordBatch]) -> None:
        """Send what the batches say, and move the positions behind them."""
        cut, size = _Cut(), 0
        for batch in batches:
            for start, end in _portions(batch.records):
                size += self._read(cut, batch.tp, batch.records[start:end])
                if size >= _CUT_BYTES:
                    await self._send(cut)
                    cut, size = _Cut(), 0
        if cut.sources:
            await self._send(cut)

    async def work(self, busy: bool) -> float:
        """Intake has nothing to do but to read."""
        return 3600.0

    async def verify(self) -> None:
        """Compare every position."""
        await asyncio.gather(*(self._slots[tp].check(at) for tp, at in self._positions.items()))

    async def finish(self) -> None:
        """Everything that was applied is already sent."""

    def position(self, tp: TP) -> int:
        """Return the first offset that was not sent."""
        return self._positions[tp]

    def mark(self, tp: TP) -> Mark | None:
        """Return the last record that was sent, as of `open`."""
        return self._marks[tp]

    def fence(self, tp: TP) -> int:
        """Return the first offset that was not sent."""
        return self._positions[tp]

    def _read(self, cut: _Cut, tp: TP, records: Sequence[KafkaRecord]) -> int:
        reader, source = self._readers[tp.topic], len(cut.sources)
        cut.sources.append(Source(tp.topic, tp.partition, records[-1].offset + 1))
        cut.marks[tp] = Mark.of(records[-1])
        latest_ts, size = time.time() + self._settings.max_ahead_s, 0
        partitions, builder = self._partitions, cut.builder
        for record in records:
            size += len(record.value or b"")
            try:
                elements = reader.elements(record)
            except BadEventError as refusal:
                self._bury(cut, tp, source, record, record.value, refusal)
                continue
            for place, element in enumerate(elements):
                try:
                    event = reader.event(element, record, latest_ts)
                except BadEventError as refusal:
                    raw = raw_elements(record.value or b"")[place]
                    self._bury(cut, tp, source, record, raw, refusal)
                else:
                    builder(partition_of(event.user, partitions)).add(source, record.offset, event)
        return size

    def _bury(
        self,
        cut: _Cut,
        tp: TP,
        source: int,
        record: KafkaRecord,
        value: bytes | None,
        refusal: BadEventError,
    ) -> None:
        """Make a dead letter of a record or of one element of it."""
        about = {
            "error.code": refusal.code,
            "error.message": str(refusal),
            "source.topic": tp.topic,
            "source.partition": str(tp.partition),
            "source.offset": str(record.offset),
            "source.timestamp": str(record.timestamp),
            "app.version": __version__,
        }
        letter = Outgoing(
            value,
            record.key,
            headers=[*record.headers, *((name, text.encode()) for name, text in about.items())],
        )
        topic = tp.topic + self._settings.dead_letter_suffix
        cut.letters.setdefault((topic, tp.partition), []).append(letter)
        cut.builder(tp.partition % self._partitions).bury(source, record.offset)

    async def _send(self, cut: _Cut) -> None:
        messages: dict[tuple[str, int], list[Outgoing]] = {}
        for (topic, partition), letters in cut.letters.items():
            if topic not in self._letter_partitions:
                self._letter_partitions[topic] = await self._publisher.partitions(topic)
            target = topic, partition % self._letter_partitions[topic]
            messages.setdefault(target, []).extend(letters)
        for partition, builder in cut.builders.items():
            value = builder.encode(self._generation, cut.sources)
            messages[self._settings.interactions_topic, partition] = [Outgoing(value)]
        await self._publisher.deliver(messages)
        self._failpoints.reach("intake.cut-sent")
        await asyncio.gather(*(self._move(tp, mark) for tp, mark in cut.marks.items()))
        self._failpoints.reach("intake.position-moved")

    async def _move(self, tp: TP, mark: Mark) -> None:
        head = Head(mark.offset + 1, fields={"mark": mark.encode()})
        await self._slots[tp].commit(self._positions[tp], head)
        self._positions[tp] = head.position


def _portions(records: Sequence[KafkaRecord]) -> list[tuple[int, int]]:
    """Split records into runs of at most about half a cut's bytes."""
    portions, start, size = [], 0, 0
    for end, record in enumerate(records, 1):
        size += len(record.value or b"")
        if size >= _CUT_BYTES // 2 or end == len(records):
            portions.append((start, end))
            start, size = end, 0
    return portions
