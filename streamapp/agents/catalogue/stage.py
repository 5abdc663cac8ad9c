"""CatalogueStage: records of the catalogue -> what is known of each item, and notices to shards.

For a run of records: read what is known of their items, send every shard what changes of what it
may show, and when the broker has it, write what is known and move the fence. Changes are sent
record by record, each with its offset, by which shards tell a copy: an owner who died may have sent
the first of two that cancel out (ADR-0010).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streamapp.agents.intake.dead_letter import letter
from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.recovery import open_slot
from streamapp.core.events.catalogue_record import Entry, Product, encode_product, read_entry
from streamapp.core.events.event import Refusal
from streamapp.core.histories.role_items import roles_of
from streamapp.core.list_kinds import ITEM
from streamapp.core.messages.catalogue_update import UPDATE_KEY, VisibilityChange, encode_updates
from streamapp.core.trending.categories import NO_CATEGORY
from streamapp.errors import StateError
from streamapp.pipelines import pipelines
from streamapp.store.slot.head import CatalogueHead
from streamapp.store.slot.keys import SlotKeys, catalogue_tag
from streamapp.store.slot.manifest import partition_count
from streamapp.store.slot.slot import Slot
from streamapp.store.values.products import product_in
from streamapp.transport.producer import Outgoing
from streamapp.transport.records import TP, Offsets, RecordBatch, RecordFingerprint


@dataclass(slots=True)
class _News:
    """What a run of records comes to.

    Attributes:
        changes: What shards may show, and did not before, or the other way round.
        known: What is to be stored, by item; b"" for one that was deleted.
    """

    changes: list[VisibilityChange] = field(default_factory=list)
    known: dict[str, bytes] = field(default_factory=dict)


class CatalogueStage:
    """The stage of one partition of the catalogue."""

    contiguous = False

    def __init__(self, outside: StageContext, partition: int) -> None:
        self._outside = outside
        self._settings = outside.settings
        self._publisher = outside.publisher
        self._failpoints = outside.failpoints
        self._partition = partition
        keys = SlotKeys(outside.pipeline.state_prefix, catalogue_tag(partition))
        self._slot = Slot(outside.redis, keys)
        self._position = 0
        self._mark: RecordFingerprint | None = None
        self._dead = 0
        self._shards: dict[str, tuple[str, int]] = {}
        self._letters_topic = self._settings.catalogue_topic + self._settings.dead_letter_suffix

    async def open(self, offsets: Mapping[TP, Offsets], *, doubt: bool) -> Mapping[TP, int]:
        """Read the head."""
        ((tp, known),) = offsets.items()
        self._shards = {
            kind: (
                one.deltas_topic,
                await partition_count(self._outside.redis, one.state_prefix, one.deltas_topic),
            )
            for kind, one in pipelines(self._settings).items()
        }
        head = await open_slot(
            self._outside, self._slot, CatalogueHead, tp, known, self._outside.pipeline.results
        )
        self._position, self._dead = head.position, head.dead
        self._mark = RecordFingerprint.decode(head.last_record or b"")
        if self._mark is not None and not head.categories_told:
            raise StateError(
                f"{tp.topic}[{tp.partition}]: the catalogue was read by a version that told shards "
                "of no categories; count again from the first event with `streamapp rebuild`"
            )
        return {tp: head.position}

    async def apply(self, batches: Sequence[RecordBatch]) -> None:
        """Apply the records of the batches."""
        read = [
            read_entry(record, self._settings.max_record_bytes)
            for batch in batches
            for record in batch.records
        ]
        news = await self._compare([entry for entry in read if isinstance(entry, Entry)])
        refusals = [one for one in read if isinstance(one, Refusal)]
        await self._send(batches[0].tp, news.changes, refusals)
        self._failpoints.reach("catalogue.notices-sent")
        end, mark = batches[-1].end, RecordFingerprint.of(batches[-1].records[-1])
        await self._slot.put(end, news.known.items())
        self._failpoints.reach("catalogue.blobs-put")
        dead = self._dead + len(refusals)
        head = CatalogueHead(end, last_record=mark.encode(), dead=dead, categories_told=True)
        await self._slot.commit(self._position, head)
        self._position, self._dead = end, dead
        self._failpoints.reach("catalogue.position-moved")

    async def work(self, busy: bool) -> float:
        """There is nothing to do but to read."""
        return 3600.0

    async def verify(self) -> None:
        """Compare the position."""
        await self._slot.check(self._position)

    async def finish(self) -> None:
        """Everything that was applied is already stored."""

    async def close(self) -> None:
        """Nothing goes on beside the lane."""

    def position(self, tp: TP) -> int:
        """Return the first offset that is not applied."""
        return self._position

    def mark(self, tp: TP) -> RecordFingerprint | None:
        """Return the last record that is stored, as of `open`."""
        return self._mark

    def fence(self, tp: TP) -> int:
        """Return the first offset that is not stored."""
        return self._position

    async def _compare(self, entries: Sequence[Entry]) -> _News:
        """Return what the entries change.

        What is not known may have been deleted and forgotten, so shards hear of it in any case.
        What is stored ahead of the position was sent before it was stored: whatever is compared
        with it once more, shards were told all that it changed.
        """
        items = list({entry.item: None for entry in entries})
        stored = await self._slot.read_at(self._position, items)
        before = {item: blob[1] if blob else b"" for item, blob in zip(items, stored, strict=True)}
        told = {
            item: _told(product_in(self._slot, item, content)) if content else None
            for item, content in before.items()
        }
        news = _News()
        for offset, item, product in entries:
            content = encode_product(product) if product else b""
            hidden, category = _told(product)
            if told[item] != (hidden, category):
                news.changes.append(VisibilityChange(offset, item, hidden, category))
            told[item] = (hidden, category) if product else None
            if content != before[item]:
                news.known[item] = before[item] = content
        return news

    async def _send(
        self, tp: TP, changes: Sequence[VisibilityChange], refusals: Sequence[Refusal]
    ) -> None:
        """Send notices to the shards of all kinds of lists, and dead letters."""
        messages: dict[tuple[str, int], list[Outgoing]] = {}
        for kind, (topic, shards) in self._shards.items():
            named = changes if kind == ITEM else _without_categories(changes, kind)
            notices = [
                Outgoing(value, UPDATE_KEY)
                for value in encode_updates(self._slot.generation, self._partition, named)
            ]
            messages |= {(topic, shard): notices for shard in range(shards)}
        if refusals:
            partition = tp.partition % await self._publisher.partitions(self._letters_topic)
            messages[self._letters_topic, partition] = [letter(tp, one) for one in refusals]
        await self._publisher.deliver(messages)


def _told(product: Product | None) -> tuple[bool, str]:
    """Return what shards are told of an item: whether it is hidden, and its category."""
    return (not product.available, product.category) if product else (True, NO_CATEGORY)


def _without_categories(changes: Sequence[VisibilityChange], kind: str) -> list[VisibilityChange]:
    """Return the changes for shards that do not count what is popular, of the items they list."""
    role = roles_of(kind).column
    return [VisibilityChange(one.offset, role + one.item, one.hidden) for one in changes]
