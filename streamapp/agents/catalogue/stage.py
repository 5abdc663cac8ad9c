"""Turns records of the catalogue into stored products, and into updates for every shard.

For a run of records, the stage reads the stored products, sends every shard the changes of what its
lists may show, and when the broker has them, writes the products and moves the stored position.
Changes are sent record by record, each with its offset, by which shards recognise a copy: an owner
that died may have sent the first of two changes that cancel out (ADR-0010).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.dead_letter import dead_letter
from streamapp.agents.runtime.slot_opening import open_slot
from streamapp.agents.scheduling.due_time import NEVER
from streamapp.core.events.catalogue_record import Entry, Product, encode_product, read_entry
from streamapp.core.events.refusals import Refusal
from streamapp.core.ids.role_registry import roles_of
from streamapp.core.list_kinds import ITEM
from streamapp.core.messages.catalogue_update import UPDATE_KEY, VisibilityChange, encode_updates
from streamapp.core.trending.categories import NO_CATEGORY
from streamapp.errors import StateError
from streamapp.pipelines import pipelines
from streamapp.store.slot.head import CatalogueHead
from streamapp.store.slot.keys import SlotKeys, catalogue_tag
from streamapp.store.slot.slot import Slot
from streamapp.store.state_layout import partition_count
from streamapp.store.values.product_reader import product_in
from streamapp.transport.producer import Outgoing
from streamapp.transport.records import TP, Offsets, RecordBatch, RecordFingerprint


@dataclass(slots=True)
class _Found:
    """The changes by a run of records.

    Attributes:
        changes: Visibility and categories of items, for the shards.
        products: Products to store, by item; b"" for a deleted one.
    """

    changes: list[VisibilityChange] = field(default_factory=list)
    products: dict[str, bytes] = field(default_factory=dict)


class CatalogueStage:
    """The stage of one partition of the catalogue."""

    contiguous = False

    def __init__(
        self,
        context: StageContext,
        partition: int,
        slot: Slot,
        head: CatalogueHead,
        shards: Mapping[str, tuple[str, int]],
    ) -> None:
        self._settings = context.settings
        self._producer = context.producer
        self._failpoints = context.failpoints
        self._partition = partition
        self.slots = [slot]
        self._slot = slot
        self._shards = shards
        self._position, self._dead = head.position, head.dead
        self._fingerprint = RecordFingerprint.decode(head.last_record or b"")
        self._letters_topic = self._settings.catalogue_topic + self._settings.dead_letter_suffix

    @classmethod
    async def open(
        cls, context: StageContext, offsets: Mapping[TP, Offsets], *, lists_suspect: bool
    ) -> Self:
        """Return the stage as its slot is stored."""
        ((tp, known),) = offsets.items()
        pipeline = context.pipeline
        shards = {
            kind: (
                one.deltas_topic,
                await partition_count(context.redis, one.state_prefix, one.deltas_topic),
            )
            for kind, one in pipelines(context.settings).items()
        }
        slot = Slot(context.redis, SlotKeys(pipeline.state_prefix, catalogue_tag(tp.partition)))
        head = await open_slot(context, slot, CatalogueHead, tp, known, pipeline.results)
        if head.last_record and not head.categories_told:
            raise StateError(
                f"{tp.topic}[{tp.partition}]: the catalogue was read by a version that sent shards "
                "no categories; count again from the first event with `streamapp rebuild`"
            )
        return cls(context, tp.partition, slot, head, shards)

    def connect(self, wake: Callable[[], None]) -> None:
        """Do nothing; nothing goes on in the background."""

    async def apply(self, batches: Sequence[RecordBatch]) -> None:
        """Apply the records of the batches."""
        read = [
            read_entry(record, self._settings.max_record_bytes)
            for batch in batches
            for record in batch.records
        ]
        found = await self._compare([entry for entry in read if isinstance(entry, Entry)])
        refusals = [one for one in read if isinstance(one, Refusal)]
        await self._send(batches[0].tp, found.changes, refusals)
        self._failpoints.reach("catalogue.notices-sent")
        end, last = batches[-1].end, RecordFingerprint.of(batches[-1].records[-1])
        await self._slot.blobs.put(end, found.products.items())
        self._failpoints.reach("catalogue.blobs-put")
        dead = self._dead + len(refusals)
        head = CatalogueHead(end, last_record=last.encode(), dead=dead, categories_told=True)
        await self._slot.commit(self._position, head)
        self._position, self._dead = end, dead
        self._failpoints.reach("catalogue.position-moved")

    async def work(self, busy: bool) -> float:
        """Do nothing; this stage only reacts to records."""
        return NEVER

    async def finish(self, until: float = math.inf) -> None:
        """Do nothing; everything that was applied is already stored."""

    async def close(self) -> None:
        """Do nothing; there is no background work."""

    async def drain(self) -> None:
        """Do nothing; everything that was sent is acknowledged."""

    def position(self, tp: TP) -> int:
        """Return the first offset that is not applied."""
        return self._position

    def stored_position(self, tp: TP) -> int:
        """Return the first offset that is not stored."""
        return self._position

    def fingerprint(self, tp: TP) -> RecordFingerprint | None:
        """Return that of the last record in the state that was opened."""
        return self._fingerprint

    async def _compare(self, entries: Sequence[Entry]) -> _Found:
        """Return the changes by the entries.

        An unknown item may have been deleted and forgotten, so shards always receive it. A
        product that is stored ahead of the position was sent to all shards before it was stored,
        so a comparison with it cannot lose a change.
        """
        items = list({entry.item: None for entry in entries})
        stored = await self._slot.blobs.read_at(self._position, items)
        before = {item: blob[1] if blob else b"" for item, blob in zip(items, stored, strict=True)}
        sent = {
            item: _visibility(product_in(self._slot, item, content)) if content else None
            for item, content in before.items()
        }
        found = _Found()
        for offset, item, product in entries:
            content = encode_product(product) if product else b""
            hidden, category = _visibility(product)
            if sent[item] != (hidden, category):
                found.changes.append(VisibilityChange(offset, item, hidden, category))
            sent[item] = (hidden, category) if product else None
            if content != before[item]:
                found.products[item] = before[item] = content
        return found

    async def _send(
        self, tp: TP, changes: Sequence[VisibilityChange], refusals: Sequence[Refusal]
    ) -> None:
        """Send updates to the shards of all kinds of lists, and dead letters."""
        messages: dict[tuple[str, int], list[Outgoing]] = {}
        for kind, (topic, shards) in self._shards.items():
            named = changes if kind == ITEM else _without_categories(changes, kind)
            updates = [
                Outgoing(value, UPDATE_KEY)
                for value in encode_updates(self._slot.state_id, self._partition, named)
            ]
            messages |= {(topic, shard): updates for shard in range(shards)}
        if refusals:
            partition = tp.partition % await self._producer.partitions(self._letters_topic)
            limit = self._producer.limit(self._letters_topic)
            messages[self._letters_topic, partition] = [
                dead_letter(tp, one, limit) for one in refusals
            ]
        await self._producer.deliver(messages)


def _visibility(product: Product | None) -> tuple[bool, str]:
    """Return the part of an item for shards: whether it is hidden, and its category."""
    return (not product.available, product.category) if product else (True, NO_CATEGORY)


def _without_categories(changes: Sequence[VisibilityChange], kind: str) -> list[VisibilityChange]:
    """Return the changes for shards of a kind without trending lists, with the ids that it uses."""
    role = roles_of(kind).column
    return [VisibilityChange(one.offset, role + one.item, one.hidden) for one in changes]
