"""Checkpoint: a shard in memory -> its slot in Redis.

Rows and norms that changed are written first, each with the position it is complete for; then one
script moves the fence, with the new items and what is still to be published. What is popular in
categories goes ahead of the records that it is made of (ADR-0014).

Deltas are applied meanwhile. So all but the rows is taken at one position, which the fence moves
to, and a row is packed when it is written, and may be complete for a later one (ADR-0018).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from streamapp.agents.runtime.context import StageContext
from streamapp.config.fingerprints import rule_text
from streamapp.core.arrays.bitmap import flagged, packed_flags
from streamapp.core.arrays.dtypes import Bools, Ints
from streamapp.core.content.neighbours import Content
from streamapp.core.counts.decayed_norms import DecayedNorms
from streamapp.core.counts.norms import Norms
from streamapp.core.histories.role_items import registry_of
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.shard.shard import Shard
from streamapp.core.shard.visibility import Visibility
from streamapp.core.trending.categories import Categories, CategoryTop
from streamapp.core.trending.popularity import Popularity
from streamapp.store.slot.slot import Head, Slot
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
        republish: Position from which every list is to be published again; b"" for none.
    """

    dirty: bytes = b""
    moved: bytes = b""
    republish: bytes = b""

    @classmethod
    def of(cls, dirty: Bools, moved: Bools, republish_at: int | None) -> "Pending":
        """Return what is pending; `dirty` and `moved` are bool by number."""
        republish = b"" if republish_at is None else str(republish_at).encode()
        return cls(packed_flags(dirty), packed_flags(moved), republish)

    @classmethod
    def from_head(cls, head: Head) -> "Pending":
        """Return what a head says is pending."""
        return cls(*(head.fields.get(name, b"") for name in ("dirty", "moved", "republish")))

    def restore(self, shard: Shard) -> None:
        """Note on a shard that was just read what is pending."""
        shard.dirty[flagged(self.dirty)] = True
        moved = flagged(self.moved)
        shard.norms.moved[moved] = shard.norms.fell[moved] = True

    @property
    def republish_at(self) -> int | None:
        """Position from which every list is to be published again."""
        return int(self.republish) if self.republish else None


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

    head: Head
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

    def __init__(self, outside: StageContext, slot: Slot, head: Head) -> None:
        self.position = head.position
        self._failpoints = outside.failpoints
        self._rule = rule_text(outside.settings).encode()
        self._slot = slot
        self._head = head
        self._items = 0
        self._pending = Pending.from_head(head)
        self._moving = asyncio.Lock()

    async def load(self, number: int, count: int, outside: StageContext) -> Shard:
        """Return the shard as it is stored; its rows are absent."""
        registry = await self._slot.registry(registry_of(outside.pipeline.kind))
        self._items = len(registry)
        kept: type[Norms] = DecayedNorms if outside.pipeline.decay else Norms
        norms = kept.unpack(await self._slot.packed(self._slot.keys.norms))
        availability = Visibility.unpack(await self._slot.packed(self._slot.keys.availability))
        availability.reserve(len(registry))
        rule = outside.settings.rule
        popularity = Popularity.unpack(
            await self._slot.packed(self._slot.keys.popularity),
            rule.top_n,
            registry,
            availability.mask,
        )
        content = Content()
        if outside.pipeline.makes_content_lists:
            content = await read_content(outside.redis, self._slot.keys)
        availability.heard = self._head.number("heard")
        popularity.newest_ts = float(self._head.fields.get("popular_ts", "-inf"))
        shard = Shard(
            number, count, rule, self._slot.generation, self.position, registry, norms,
            AppliedOffsets(self._head.fences), popularity, availability,
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
        return Categories.unpack(
            packed, await CategoryTops(outside.redis, self._slot.keys).numbers()
        )

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

    def take(self, shard: Shard, pending: Pending, about: Mapping[str, bytes]) -> Taken | None:
        """Return what is to be stored of a shard as it is now; None if nothing of it changed.

        Whatever is taken counts as stored from here on, and a row from when it is packed.

        Args:
            shard: What to store.
            pending: What readers do not have yet.
            about: More fields of the head.
        """
        if (shard.position, pending) == (self.position, self._pending):
            return None
        fields = {
            "dirty": pending.dirty,
            "moved": pending.moved,
            "republish": pending.republish,
            "rule": self._rule,
            "popular": msgspec.msgpack.encode(shard.popularity.top),
            "popular_ts": repr(shard.popularity.newest_ts).encode(),
            "heard": str(shard.availability.heard).encode(),
            **about,
        }
        keys, position, categories = self._slot.keys, shard.position, shard.categories
        tops: tuple[list[CategoryTop], list[CategoryTop]] = [], []
        if categories.known:
            hidden = shard.availability.mask
            tops = categories.new(), categories.tops(shard.popularity, shard.registry, hidden)
            categories.settle()
        records = {
            keys.norms: shard.norms.packed_changes(position),
            keys.popularity: shard.popularity.packed_changes(position),
            keys.availability: shard.availability.packed_changes(position),
            keys.categories: categories.packed_changes(position),
        }
        return Taken(
            Head(position, shard.fences.as_dict(), fields),
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
            packed = [(row, shard.packed(row)) for row in some.tolist()]
            # What changes from here on is for the next checkpoint.
            shard.unsaved[some] = False
            await self._slot.put(shard.position, packed)
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
