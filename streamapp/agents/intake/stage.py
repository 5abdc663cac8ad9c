"""Turns event records into interaction batches, each in the partition of its user.

The only state of the intake is its position in each event partition. It sends interaction batches,
waits until the broker has them and the dead letters, and only then moves the positions, while the
next batches are made. After a crash some batches are sent twice. Their readers drop the second copy
by its source offset, so every event counts once. Where more than one kind of lists is made, each
kind has batches of its own in its own topic (ADR-0011).
"""

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from streamapp.agents.intake.clock_watch import ClockWatch
from streamapp.agents.intake.draft_wait import DraftWait
from streamapp.agents.runtime.background import BackgroundTask, gather_all
from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.dead_letter import dead_letter
from streamapp.agents.runtime.slot_opening import open_slot
from streamapp.agents.scheduling.due_time import NEVER
from streamapp.config.fingerprints import reading_text
from streamapp.config.rules import event_rules
from streamapp.core.events.event_reader import EventReader
from streamapp.core.events.projection import PROJECTIONS, Projection
from streamapp.core.list_kinds import ITEM
from streamapp.core.messages.interaction_batch import InteractionBatchBuilder, Source
from streamapp.core.messages.message_size import MAX_MESSAGE_BYTES
from streamapp.failpoints import Failpoints
from streamapp.pipelines import extra_kinds, pipelines
from streamapp.store.slot.head import IntakeHead
from streamapp.store.slot.keys import SlotKeys, intake_tag
from streamapp.store.slot.slot import Slot
from streamapp.store.state_layout import check_kinds, partition_count
from streamapp.transport.producer import Outgoing
from streamapp.transport.records import TP, KafkaRecord, Offsets, RecordBatch, RecordFingerprint

_PORTION_BYTES = 250_000
"""Bytes of event records that are read without letting other tasks run."""

_MOST_LETTERS = 10_000
"""Dead letters after which a draft is sent: an empty record has one, with a kilobyte of headers."""

_RECORD_BYTES = 16
"""Bytes that a record counts beside its own: it may be empty, and has a dead letter."""

_MOST_BYTES = MAX_MESSAGE_BYTES - 1_000_000
"""Most bytes of one interaction batch."""

_GROWTH = 8
"""Most bytes in a batch for a byte of a record: a line of an order may have 5, and takes 40."""


@dataclass(slots=True)
class _Partition:
    """One event partition.

    Attributes:
        slot: Where its position is stored.
        position: First offset that was not read into a draft.
        stored_position: First offset that is not stored as sent.
        fingerprint: That of the last record in the state that was opened.
    """

    slot: Slot
    position: int
    stored_position: int
    fingerprint: RecordFingerprint | None


@dataclass(slots=True)
class _Draft:
    """Interaction batches in the making, by kind of lists.

    Attributes:
        builders: The builders of batches, by kind.
        projections: The projection of each kind but the main one, and its builder.
        letters: Dead letters by topic and source partition.
        last: The last record that was read of each event partition.
        records: How many records were read.
        read: Bytes of the records that were read.
        refused: How many dead letters there are.
    """

    builders: dict[str, InteractionBatchBuilder]
    projections: list[tuple[Projection, InteractionBatchBuilder]]
    letters: dict[tuple[str, int], list[Outgoing]] = field(default_factory=dict)
    last: dict[TP, RecordFingerprint] = field(default_factory=dict)
    records: int = 0
    read: int = 0
    refused: int = 0

    def most_bytes(self) -> int:
        """Return the most bytes of a message."""
        return max(one.most_bytes() for one in self.builders.values())


class IntakeStage:
    """The stage of all event partitions that a worker has."""

    contiguous = False

    def __init__(
        self,
        context: StageContext,
        partitions: Mapping[TP, _Partition],
        targets: Mapping[str, int],
        ends: Mapping[TP, int],
    ) -> None:
        settings = context.settings
        self._settings = settings
        self._producer = context.producer
        self._own_messages = context.own_messages
        self._failpoints = context.failpoints
        self._budget = context.budget
        self.slots = [one.slot for one in partitions.values()]
        self._partitions = partitions
        self._targets = targets
        self._state_id = next(iter(partitions.values())).slot.state_id
        self._moving = BackgroundTask[None]()
        self._readers = {
            topic: EventReader(event_rules(settings), topic) for topic in settings.event_topics
        }
        self._topics = {kind: one.interactions_topic for kind, one in pipelines(settings).items()}
        self._letter_partitions: dict[str, int] = {}
        self._draft = self._new_draft()
        self._draft_wait = DraftWait(max(targets.values()), context.own_messages)
        self._clock_watch = ClockWatch(ends)

    @classmethod
    async def open(
        cls, context: StageContext, offsets: Mapping[TP, Offsets], *, lists_suspect: bool
    ) -> Self:
        """Return the stage with the stored positions of these event partitions."""
        settings, redis, prefix = context.settings, context.redis, context.pipeline.state_prefix
        targets = {
            one.interactions_topic: await partition_count(
                redis, one.state_prefix, one.interactions_topic
            )
            for one in pipelines(settings).values()
        }
        partitions: dict[TP, _Partition] = {}
        for tp, known in offsets.items():
            slot = Slot(redis, SlotKeys(prefix, intake_tag(tp.topic, tp.partition)))
            head = await open_slot(
                context, slot, IntakeHead, tp, known, reading_text(settings, tp.topic)
            )
            check_kinds(slot.state_id, settings)
            last = RecordFingerprint.decode(head.last_record or b"")
            partitions[tp] = _Partition(slot, head.position, head.position, last)
        ends = {tp: known.end for tp, known in offsets.items()}
        return cls(context, partitions, targets, ends)

    def connect(self, wake: Callable[[], None]) -> None:
        """Let the task go on when everything that was sent is applied."""
        self._own_messages.on_applied = wake

    async def apply(self, batches: Sequence[RecordBatch]) -> None:
        """Send the interactions of the record batches; positions follow in the background."""
        self._budget.applied(batches[0].read_at)
        self._clock_watch.see(batches)
        for batch in batches:
            for start, end, size in _portions(batch.records):
                if self._draft.last and self._draft.most_bytes() + _GROWTH * size > _MOST_BYTES:
                    await self._send()
                self._read(batch.tp, batch.records[start:end])
                self._draft.records += end - start
                self._draft.read += size
                many = self._draft.refused >= _MOST_LETTERS
                if many or self._draft_wait.is_full(self._draft.read):
                    await self._send()
                else:
                    await asyncio.sleep(0)
        self._draft_wait.end_read(self._draft.records, batches[-1].backlog)
        if self._draft.last and self._draft_wait.left_s <= 0:
            await self._send()

    async def work(self, busy: bool) -> float:
        """Send the draft if nothing more is to come into it."""
        if self._moving.is_done:
            await self._moving.join()
        if not self._draft.last:
            return NEVER
        left_s = self._draft_wait.left_s
        if busy or left_s > 0:
            return left_s
        await self._send()
        return NEVER

    async def finish(self, until: float = math.inf) -> None:
        """Send what was read, and wait until the positions are stored."""
        if self._draft.last:
            await self._send()
        await self._moving.join()

    async def close(self) -> None:
        """Cancel the move of the positions."""
        await self._moving.cancel()

    async def drain(self) -> None:
        """Do nothing; everything that was sent is acknowledged."""

    def position(self, tp: TP) -> int:
        """Return the first offset that was not read."""
        return self._partitions[tp].position

    def stored_position(self, tp: TP) -> int:
        """Return the first offset that is not stored as sent."""
        return self._partitions[tp].stored_position

    def fingerprint(self, tp: TP) -> RecordFingerprint | None:
        """Return that of the last record in the state that was opened."""
        return self._partitions[tp].fingerprint

    def _new_draft(self) -> _Draft:
        builders = {kind: InteractionBatchBuilder() for kind in self._topics}
        extra = extra_kinds(self._settings)
        return _Draft(builders, [(PROJECTIONS[kind], builders[kind]) for kind in extra])

    def _read(self, tp: TP, records: Sequence[KafkaRecord]) -> None:
        """Read records into the draft."""
        draft = self._draft
        source = Source(tp.topic, tp.partition, records[-1].offset + 1)
        for builder in draft.builders.values():
            builder.begin(source)
        draft.last[tp] = RecordFingerprint.of(records[-1])
        self._partitions[tp].position = source.end
        main, reader = draft.builders[ITEM], self._readers[tp.topic]
        for refusal in reader.read(records, main, draft.projections):
            main.count_dead_letter(refusal.record.offset)
            topic = tp.topic + self._settings.dead_letter_suffix
            letter = dead_letter(tp, refusal, self._producer.limit(topic))
            draft.letters.setdefault((topic, tp.partition), []).append(letter)
            draft.refused += 1

    async def _send(self) -> None:
        """Send the draft, and begin another one."""
        draft, self._draft = self._draft, self._new_draft()
        messages: dict[tuple[str, int], list[Outgoing]] = {}
        for (topic, partition), letters in draft.letters.items():
            if topic not in self._letter_partitions:
                self._letter_partitions[topic] = await self._producer.partitions(topic)
            target = topic, partition % self._letter_partitions[topic]
            messages.setdefault(target, []).extend(letters)
        for kind, builder in draft.builders.items():
            topic = self._topics[kind]
            values = builder.encode(self._state_id, self._targets[topic])
            for partition, value in values.items():
                messages[topic, partition] = [Outgoing(value)]
        self._own_messages.sent(await self._producer.deliver(messages))
        self._failpoints.reach("intake.cut-sent")
        await self._moving.join()
        moves = [(self._partitions[tp], last) for tp, last in draft.last.items()]
        self._moving.start(_move(moves, self._failpoints))


async def _move(
    moves: Iterable[tuple[_Partition, RecordFingerprint]], failpoints: Failpoints
) -> None:
    """Move the stored position of each partition behind the last record that was sent."""
    await gather_all(*(_store(partition, last) for partition, last in moves))
    failpoints.reach("intake.position-moved")


async def _store(partition: _Partition, last: RecordFingerprint) -> None:
    head = IntakeHead(last.offset + 1, last_record=last.encode())
    await partition.slot.commit(partition.stored_position, head)
    partition.stored_position = head.position


def _portions(records: Sequence[KafkaRecord]) -> list[tuple[int, int, int]]:
    """Split records into runs (start, end, bytes) of `_PORTION_BYTES`, or of one record."""
    portions, start, size = [], 0, 0
    for place, record in enumerate(records):
        own = _RECORD_BYTES + len(record.value or b"")
        if record.headers:
            own += sum(len(name) + len(value or b"") for name, value in record.headers)
        if start < place and size + own > _PORTION_BYTES:
            portions.append((start, place, size))
            start, size = place, 0
        size += own
    portions.append((start, len(records), size))
    return portions
