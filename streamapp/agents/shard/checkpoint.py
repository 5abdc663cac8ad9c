"""Checkpoint: a shard in memory -> its slot in Redis.

Rows and norms that changed are written first, each with the position it is complete for; then one
script moves the fence, with the new items and what is still to be published. What is popular in
categories goes ahead of the records that it is made of (ADR-0014).

Deltas are applied meanwhile. So all but the rows is taken at one position, which the fence moves
to, and a row is packed when it is written, and may be complete for a later one (ADR-0018).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from streamapp.agents.runtime.context import StageContext
from streamapp.config.fingerprints import rule_text
from streamapp.core.arrays.bitmap import flagged, packed_flags
from streamapp.core.arrays.dtypes import Bools, Ints
from streamapp.core.content.neighbours import Content
from streamapp.core.counts.item_counts import ItemCounts
from streamapp.core.histories.role_items import registry_of
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.shard.shard import Shard
from streamapp.core.shard.visibility import Visibility
from streamapp.core.trending.categories import Categories, CategoryTop
from streamapp.core.trending.popularity import Popularity
from streamapp.store.slot.head import ShardHead
from streamapp.store.slot.slot import Slot
from streamapp.store.values.category_tops import CategoryTops, put_tops
from streamapp.store.values.content import put_content, read_content

_ROWS_AT_ONCE = 250


@dataclass(frozen=True, slots=True)
class Pending:
    """What readers do not have yet, as the head of a slot carries it.

    Attributes:
        dirty: Rows whose list changed, by number, as `packed_flags` says.
        moved: Likewise items whose norm moved, or that were hidden or shown again, where that is
            not yet in all lists.
        republish_at: Position from which every list is to be published again; None for none.
    """

    dirty: bytes = b""
    moved: bytes = b""
    republish_at: int | None = None

    @classmethod
    def of(cls, dirty: Bools, moved: Bools, republish_at: int | None) -> "Pending":
        """Return what is pending; `dirty` and `moved` are bool by number."""
        return cls(packed_flags(dirty), packed_flags(moved), republish_at)

    @classmethod
    def from_head(cls, head: ShardHead) -> "Pending":
        """Return what a head says is pending."""
        return cls(head.dirty, head.moved, head.republish_at)

    def restore(self, shard: Shard) -> None:
        """Note on a shard that was just read what is pending."""
        shard.lists.mark_dirty(flagged(self.dirty))
        moved = flagged(self.moved)
        shard.norms.mark_changed(moved, decreased=moved)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a checkpoint stores of a shard, as it is at `head.position`.

    Attributes:
        head: The head that is to be.
        pending: What of it readers do not have yet.
        rows: Numbers of the rows that changed; they themselves stay with the shard.
        tops: What is popular in categories that are new, and then in those that were touched.
        records: Packed records that changed, by key.
        content: Content neighbours that changed.
        items: Ids of items that the slot lacks.
    """

    head: ShardHead
    pending: Pending
    rows: Ints
    tops: tuple[list[CategoryTop], list[CategoryTop]]
    records: dict[str, list[tuple[int, bytes]]]
    content: list[tuple[str, bytes]]
    items: Sequence[str]


class Checkpoint:
    """Reads and writes one shard.

    Attributes:
        position: The position that is stored.
    """

    def __init__(self, outside: StageContext, slot: Slot, head: ShardHead) -> None:
        self.position = head.position
        self._failpoints = outside.failpoints
        self._rule = rule_text(outside.settings)
        self._slot = slot
        self._head = head
        self._items = 0
        self._pending = Pending.from_head(head)
        self._moving = asyncio.Lock()

    async def load(self, number: int, count: int, outside: StageContext) -> Shard:
        """Return the shard as it is stored; its rows are absent."""
        registry = await self._slot.registry(registry_of(outside.pipeline.kind))
        self._items = len(registry)
        norms = await self._slot.packed(self._slot.keys.norms)
        counts = ItemCounts.unpack(norms, decayed=outside.pipeline.decay is not None)
        visibility = Visibility(
            await self._slot.packed(self._slot.keys.availability), self._head.last_update_offset
        )
        visibility.reserve(len(registry))
        rule = outside.settings.rule
        popularity = Popularity.unpack(
            await self._slot.packed(self._slot.keys.popularity),
            rule.top_n,
            registry,
            visibility.mask,
        )
        content = Content()
        if outside.pipeline.makes_content_lists:
            content = await read_content(outside.redis, self._slot.keys)
        popularity.newest_ts = self._head.popular_ts
        shard = Shard(
            number, count, rule, self._slot.generation, self.position, registry, counts,
            AppliedOffsets(self._head.applied_offsets), popularity, visibility,
            await self._categories(outside),
            content,
        )  # fmt: skip
        self._pending.restore(shard)
        return shard

    async def _categories(self, outside: StageContext) -> Categories:
        """Return the categories as they are stored, their names last: all that items name."""
        if not outside.pipeline.catalogue_topic:
            return Categories()
        packed = await self._slot.packed(self._slot.keys.categories)
        return Categories(packed, await CategoryTops(outside.redis, self._slot.keys).numbers())

    def is_complete(self, position: int) -> bool:
        """Say whether `position` is stored, and with all lists of it out."""
        return self.position == position and not self._pending.dirty

    async def rows(self, numbers: Ints) -> list[tuple[int, bytes] | None]:
        """Return rows as they are stored.

        Raises:
            FenceMovedError: the stored position is not where this process left it.
        """
        async with self._moving:
            return await self._slot.read_at(self.position, numbers.tolist())

    async def verify(self) -> None:
        """Compare the stored position.

        Raises:
            FenceMovedError: it is not where this process left it.
        """
        async with self._moving:
            await self._slot.check(self.position)

    def take(self, shard: Shard, pending: Pending, about: ShardHead) -> Taken | None:
        """Return what is to be stored of a shard as it is now; None if nothing of it changed.

        Whatever is taken counts as stored from here on, and a row from when it is packed.

        Args:
            shard: What to store.
            pending: What readers do not have yet.
            about: A head with what the shard and `pending` do not say.
        """
        if (shard.position, pending) == (self.position, self._pending):
            return None
        head = replace(
            about,
            position=shard.position,
            applied_offsets=shard.applied_offsets.as_dict(),
            dirty=pending.dirty,
            moved=pending.moved,
            republish_at=pending.republish_at,
            rule=self._rule,
            popular=list(shard.popularity.top),
            popular_ts=shard.popularity.newest_ts,
            last_update_offset=shard.visibility.last_update_offset,
        )
        keys, position, categories = self._slot.keys, shard.position, shard.categories
        tops: tuple[list[CategoryTop], list[CategoryTop]] = [], []
        if categories.known:
            hidden = shard.visibility.mask
            tops = (
                categories.unstored(),
                categories.dirty_tops(shard.popularity, shard.registry, hidden),
            )
            categories.mark_stored()
        records = {
            keys.norms: shard.norms.packed_changes(position),
            keys.popularity: shard.popularity.packed_changes(position),
            keys.availability: shard.visibility.packed_changes(position),
            keys.categories: categories.packed_changes(position),
        }
        return Taken(
            head,
            pending,
            np.flatnonzero(shard.unsaved).astype(np.int32),
            tops,
            records,
            shard.content.packed_changes(),
            shard.registry.ids[self._items :],
        )

    async def write(self, shard: Shard, taken: Taken) -> None:
        """Store what was taken of the shard.

        Raises:
            FenceMovedError: another owner moved the fence, or Redis went back in time.
        """
        position, items = taken.head.position, self._items + len(taken.items)
        for start in range(0, len(taken.rows), _ROWS_AT_ONCE):
            some = taken.rows[start : start + _ROWS_AT_ONCE]
            # A later change of these rows is for the next checkpoint.
            await self._slot.put(shard.position, shard.pack_rows(some))
        if any(taken.tops):
            await self._put_tops(position, *taken.tops)
        for key, records in taken.records.items():
            await self._slot.put_packed(key, position, records)
        await put_content(self._slot, position, taken.content)
        await self._slot.put_items(position, self._items, taken.items)
        self._failpoints.reach("neighbours.rows-put")
        async with self._moving:
            await self._slot.commit(self.position, taken.head, items)
            self.position, self._items, self._pending = position, items, taken.pending
        self._failpoints.reach("neighbours.position-moved")

    async def _put_tops(
        self, position: int, new: list[CategoryTop], touched: list[CategoryTop]
    ) -> None:
        """Put what is popular in categories, the names of new ones first."""
        await put_tops(self._slot, position, new, touched=False)
        await put_tops(self._slot, position, touched, touched=True)
        self._failpoints.reach("neighbours.tops-put")
