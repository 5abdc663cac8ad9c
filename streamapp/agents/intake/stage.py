"""IntakeStage: event records -> cuts of interactions, each in the partition of its user.

The stage has no state but its position in each event partition. It sends a cut, waits until the
broker has it and the dead letters, and only then moves the positions, while the next cut is made.
The next stage drops what is sent twice, and nothing is left out. Where more kinds of lists are
made, each has a cut of its own through the same records, which goes the same way to its own topic
(ADR-0011).
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streamapp.agents.intake.dead_letter import letter
from streamapp.agents.runtime.background import BackgroundTask, gather_all
from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.recovery import open_slot
from streamapp.config.fingerprints import reading_text
from streamapp.core.events.event import EventReader, Project
from streamapp.core.events.projection import PROJECTIONS
from streamapp.core.list_kinds import ITEM
from streamapp.core.messages.interaction_batch import InteractionBatchBuilder, Source
from streamapp.pipelines import extra_kinds, pipelines
from streamapp.store.slot.head import IntakeHead
from streamapp.store.slot.keys import SlotKeys, intake_tag
from streamapp.store.slot.manifest import check_kinds, partition_count
from streamapp.store.slot.slot import Slot
from streamapp.transport.producer import Outgoing
from streamapp.transport.records import TP, KafkaRecord, Offsets, RecordBatch, RecordFingerprint

_CUT_BYTES = 2_000_000
"""Bytes of event records that make one cut at most, so that a cut fits into a message."""


@dataclass(slots=True)
class _Cut:
    """A cut in the making, one for each kind of lists."""

    builders: dict[str, InteractionBatchBuilder]
    projections: list[tuple[Project, InteractionBatchBuilder]]
    letters: dict[tuple[str, int], list[Outgoing]] = field(default_factory=dict)
    marks: dict[TP, RecordFingerprint] = field(default_factory=dict)


class IntakeStage:
    """The stage of all event partitions that a worker has."""

    contiguous = False

    def __init__(self, outside: StageContext) -> None:
        settings = outside.settings
        self._outside = outside
        self._settings = settings
        self._redis = outside.redis
        self._publisher = outside.publisher
        self._failpoints = outside.failpoints
        self._slots: dict[TP, Slot] = {}
        self._positions: dict[TP, int] = {}
        self._fences: dict[TP, int] = {}
        self._moving = BackgroundTask()
        self._marks: dict[TP, RecordFingerprint | None] = {}
        self._readers = {
            topic: EventReader(settings.event_rules, topic) for topic in settings.event_topics
        }
        self._pipelines = pipelines(settings)
        self._generation = ""
        self._partitions: dict[str, int] = {}
        self._letter_partitions: dict[str, int] = {}

    async def open(self, offsets: Mapping[TP, Offsets], *, doubt: bool) -> Mapping[TP, int]:
        """Read the positions in the event partitions."""
        await self._moving.close()
        self._partitions = {
            one.interactions_topic: await partition_count(
                self._redis, one.state_prefix, one.interactions_topic
            )
            for one in self._pipelines.values()
        }
        for tp, known in offsets.items():
            keys = SlotKeys(self._outside.pipeline.state_prefix, intake_tag(tp.topic, tp.partition))
            self._slots[tp] = Slot(self._redis, keys)
            reading = reading_text(self._settings, tp.topic)
            head = await open_slot(self._outside, self._slots[tp], IntakeHead, tp, known, reading)
            self._generation = self._slots[tp].generation
            check_kinds(self._generation, self._settings)
            self._positions[tp] = self._fences[tp] = head.position
            self._marks[tp] = RecordFingerprint.decode(head.last_record or b"")
        return dict(self._positions)

    async def apply(self, batches: Sequence[RecordBatch]) -> None:
        """Send what the batches say, and have the positions move behind them."""
        self._outside.leisure.applied(batches[0].read_at)
        cut, size = self._begun(), 0
        for batch in batches:
            for start, end in _portions(batch.records):
                size += self._read(cut, batch.tp, batch.records[start:end])
                if size >= _CUT_BYTES:
                    await self._send(cut)
                    cut, size = self._begun(), 0
        if cut.marks:
            await self._send(cut)

    async def work(self, busy: bool) -> float:
        """IntakeStage has nothing to do but to read."""
        return 3600.0

    async def verify(self) -> None:
        """Compare every position."""
        await self._moving.settle()
        await asyncio.gather(*(self._slots[tp].check(at) for tp, at in self._fences.items()))

    async def finish(self) -> None:
        """Everything that was applied is already sent; move the positions behind it."""
        await self._moving.settle()

    async def close(self) -> None:
        """End what goes on beside the lane."""
        await self._moving.close()

    def position(self, tp: TP) -> int:
        """Return the first offset that was not sent."""
        return self._positions[tp]

    def mark(self, tp: TP) -> RecordFingerprint | None:
        """Return the last record that is stored as sent, as of `open`."""
        return self._marks[tp]

    def fence(self, tp: TP) -> int:
        """Return the first offset that is not stored as sent."""
        return self._fences[tp]

    def _begun(self) -> _Cut:
        builders = {kind: InteractionBatchBuilder() for kind in self._pipelines}
        extra = extra_kinds(self._settings)
        return _Cut(builders, [(PROJECTIONS[kind], builders[kind]) for kind in extra])

    def _read(self, cut: _Cut, tp: TP, records: Sequence[KafkaRecord]) -> int:
        """Read records into the cut; return how many bytes they have."""
        source = Source(tp.topic, tp.partition, records[-1].offset + 1)
        for builder in cut.builders.values():
            builder.begin(source)
        cut.marks[tp] = RecordFingerprint.of(records[-1])
        latest_ts = time.time() + self._settings.max_ahead_s
        main, reader = cut.builders[ITEM], self._readers[tp.topic]
        for refusal in reader.read(records, latest_ts, main, cut.projections):
            main.count_dead_letter(refusal.record.offset)
            topic = tp.topic + self._settings.dead_letter_suffix
            cut.letters.setdefault((topic, tp.partition), []).append(letter(tp, refusal))
        return sum(len(record.value or b"") for record in records)

    async def _send(self, cut: _Cut) -> None:
        messages: dict[tuple[str, int], list[Outgoing]] = {}
        for (topic, partition), letters in cut.letters.items():
            if topic not in self._letter_partitions:
                self._letter_partitions[topic] = await self._publisher.partitions(topic)
            target = topic, partition % self._letter_partitions[topic]
            messages.setdefault(target, []).extend(letters)
        for kind, builder in cut.builders.items():
            topic = self._pipelines[kind].interactions_topic
            values = builder.encode(self._generation, self._partitions[topic])
            for partition, value in values.items():
                messages[topic, partition] = [Outgoing(value)]
        await self._publisher.deliver(messages)
        self._failpoints.reach("intake.cut-sent")
        self._positions |= {tp: mark.offset + 1 for tp, mark in cut.marks.items()}
        await self._moving.settle()
        self._moving.begin(self._move(cut.marks))

    async def _move(self, marks: Mapping[TP, RecordFingerprint]) -> None:
        await gather_all(*(self._store(tp, mark) for tp, mark in marks.items()))
        self._failpoints.reach("intake.position-moved")

    async def _store(self, tp: TP, mark: RecordFingerprint) -> None:
        head = IntakeHead(mark.offset + 1, last_record=mark.encode())
        await self._slots[tp].commit(self._fences[tp], head)
        self._fences[tp] = head.position


def _portions(records: Sequence[KafkaRecord]) -> list[tuple[int, int]]:
    """Split records into runs of at most about half a cut's bytes."""
    portions, start, size = [], 0, 0
    for end, record in enumerate(records, 1):
        size += len(record.value or b"")
        if size >= _CUT_BYTES // 2 or end == len(records):
            portions.append((start, end))
            start, size = end, 0
    return portions
