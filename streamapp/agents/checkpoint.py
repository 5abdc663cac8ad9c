"""Agents. Checkpoint: a shard in memory -> its slot in Redis.

Rows and norms that changed are written first, each with the position it is complete for; then one
script moves the fence, with the new items and what is still to be published. What is popular in
categories goes ahead of the records that it is made of (ADR-0014).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from streamapp.agents.outside import Outside
from streamapp.core.aged_norms import AgedNorms
from streamapp.core.arrays import Bools
from streamapp.core.availability import Availability
from streamapp.core.categories import Categories
from streamapp.core.content import Content
from streamapp.core.fence import Fences
from streamapp.core.flags import flagged, packed_flags
from streamapp.core.norms import Norms
from streamapp.core.popularity import Popularity
from streamapp.core.roles import registry_of
from streamapp.core.shard import Shard
from streamapp.store.content import put_content, read_content
from streamapp.store.slot import Head, Slot
from streamapp.store.tops import Tops, put_tops


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


class Checkpoint:
    """Reads and writes one shard.

    Attributes:
        position: The position that is stored.
    """

    def __init__(self, outside: Outside, slot: Slot, head: Head) -> None:
        self.position = head.position
        self._failpoints = outside.failpoints
        self._rule = outside.settings.rule_text.encode()
        self._slot = slot
        self._head = head
        self._items = 0
        self._pending = Pending.from_head(head)

    async def load(self, number: int, count: int, outside: Outside) -> Shard:
        """Return the shard as it is stored; its rows are absent."""
        registry = await self._slot.registry(registry_of(outside.kind))
        self._items = len(registry)
        kept: type[Norms] = AgedNorms if outside.settings.decay else Norms
        norms = kept.unpack(await self._slot.packed(self._slot.keys.norms))
        availability = Availability.unpack(await self._slot.packed(self._slot.keys.availability))
        availability.reserve(len(registry))
        rule = outside.settings.rule
        popularity = Popularity.unpack(
            await self._slot.packed(self._slot.keys.popularity),
            rule.top_n,
            registry,
            availability.mask,
        )
        content = Content()
        if outside.settings.content_neighbours:
            content = await read_content(outside.redis, self._slot.keys)
        availability.heard = self._head.number("heard")
        popularity.newest_ts = float(self._head.fields.get("popular_ts", "-inf"))
        shard = Shard(
            number, count, rule, self._slot.generation, self.position, registry, norms,
            Fences(self._head.fences), popularity, availability, await self._categories(outside),
            content,
        )  # fmt: skip
        self._pending.restore(shard)
        return shard

    async def _categories(self, outside: Outside) -> Categories:
        """Return the categories as they are stored, their names last: all that items name."""
        if not outside.settings.catalogue_topic:
            return Categories()
        packed = await self._slot.packed(self._slot.keys.categories)
        return Categories.unpack(packed, await Tops(outside.redis, self._slot.keys).numbers())

    def is_complete(self, position: int) -> bool:
        """Say whether `position` is stored, and with all lists of it out."""
        return self.position == position and not self._pending.dirty

    async def write(self, shard: Shard, pending: Pending, about: Mapping[str, bytes]) -> None:
        """Store the shard, if anything of it changed.

        Args:
            shard: What to store.
            pending: What readers do not have yet.
            about: More fields of the head.

        Raises:
            FenceMovedError: another owner moved the fence, or Redis went back in time.
        """
        if (shard.position, pending) == (self.position, self._pending):
            return
        numbers = np.flatnonzero(shard.unsaved).tolist()
        await self._slot.put(shard.position, ((row, shard.packed(row)) for row in numbers))
        if shard.categories.known:
            await self._put_tops(shard)
        for key, records in (
            (self._slot.keys.norms, shard.norms.packed_changes(shard.position)),
            (self._slot.keys.popularity, shard.popularity.packed_changes(shard.position)),
            (self._slot.keys.availability, shard.availability.packed_changes(shard.position)),
            (self._slot.keys.categories, shard.categories.packed_changes(shard.position)),
        ):
            await self._slot.put_packed(key, shard.position, records)
        await put_content(self._slot, shard.position, shard.content.packed_changes())
        items = len(shard.registry)
        await self._slot.put_items(shard.position, self._items, shard.registry.ids[self._items :])
        self._failpoints.reach("neighbours.rows-put")
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
        await self._slot.commit(
            self.position,
            Head(shard.position, shard.fences.as_dict(), fields),
            items,
        )
        self._failpoints.reach("neighbours.position-moved")
        shard.unsaved[numbers] = False
        self.position, self._items, self._pending = shard.position, items, pending

    async def _put_tops(self, shard: Shard) -> None:
        """Put what is popular in categories, the names of new ones first."""
        categories, hidden = shard.categories, shard.availability.mask
        tops = categories.tops(shard.popularity, shard.registry, hidden)
        await put_tops(self._slot, shard.position, categories.new(), touched=False)
        await put_tops(self._slot, shard.position, tops, touched=True)
        categories.settle()
        self._failpoints.reach("neighbours.tops-put")
