"""Writes a shard in memory to its slot in Redis.

A checkpoint writes changed rows and norms first, each with the position that it is complete for.
Then one script moves the stored position, together with the new items and with what is still to be
published. The tops of categories are written ahead of the records behind them (ADR-0014).

Deltas are applied meanwhile. So everything but the rows is taken at one position, to which the
stored position moves. A row is packed when it is written, and may be complete for a later position
(ADR-0018: a fuzzy checkpoint, Mohan et al. 1992).
"""

import asyncio
from dataclasses import replace

import numpy as np

from streamapp.agents.norms.sharing import NormSharing, norms_at
from streamapp.agents.runtime.context import StageContext
from streamapp.agents.shard.pending_lists import PendingLists
from streamapp.agents.shard.shard_snapshot import ShardSnapshot
from streamapp.config.fingerprints import rule_text
from streamapp.core.arrays.array_types import Ints
from streamapp.core.messages.norm_update import positions_as_text
from streamapp.core.shard.shard import Shard
from streamapp.core.trending.categories import CategoryTop
from streamapp.store.slot.blob import Blob
from streamapp.store.slot.head import ShardHead
from streamapp.store.slot.slot import Slot
from streamapp.store.values.category_tops import CategoryTops
from streamapp.store.values.content import ContentLists

_ROWS_AT_ONCE = 250


class Checkpoint:
    """Reads the rows of one shard, and writes its checkpoints.

    Args:
        context: Settings and connections.
        slot: The slot of the shard.
        head: The head that was read last.
        items: How many items the slot holds.
        sharing: Shares norms with the other shards.

    Attributes:
        slot: The slot of the shard.
        position: The position that is stored.
    """

    def __init__(
        self,
        context: StageContext,
        slot: Slot,
        head: ShardHead,
        items: int,
        sharing: NormSharing,
    ) -> None:
        self.position = head.position
        self._failpoints = context.failpoints
        self._rule = rule_text(context.settings)
        self.slot = slot
        self._items = items
        self._sharing = sharing
        self._pending = PendingLists.from_head(head)
        self._moving = asyncio.Lock()

    def is_complete(self, position: int) -> bool:
        """Say whether `position` is stored and all lists at that position are published."""
        return self.position == position and not self._pending.dirty

    async def load_missing(self, shard: Shard, numbers: Ints) -> None:
        """Read the rows among `numbers` that are not in memory.

        Raises:
            PositionMovedError: the stored position is not where this process left it.
        """
        missing = numbers[~shard.rows.present[numbers]]
        if len(missing):
            shard.load(missing, await self.rows(missing))

    async def rows(self, numbers: Ints) -> list[Blob | None]:
        """Return rows as they are stored.

        Raises:
            PositionMovedError: the stored position is not where this process left it.
        """
        async with self._moving:
            return await self.slot.blobs.read_at(self.position, numbers.tolist())

    def take(self, shard: Shard, pending: PendingLists, about: ShardHead) -> ShardSnapshot | None:
        """Return the values of a shard to store now; None if nothing changed.

        Taken values count as stored from here on; a row counts as stored when it is packed.

        Args:
            shard: The shard.
            pending: The lists that readers do not have yet.
            about: A head with the fields that the shard and `pending` lack.
        """
        unchanged = (shard.position, pending) == (self.position, self._pending)
        if unchanged and not shard.norms.unshared.any():
            return None
        head = replace(
            about,
            position=shard.position,
            applied_offsets=shard.applied_offsets.as_dict(),
            dirty=pending.dirty,
            moved=pending.moved,
            republish_at=pending.republish_at,
            norms_seen=positions_as_text(shard.norms_seen),
            norms_taken=shard.norms_taken,
            rule=self._rule,
            popular=list(shard.popularity.top),
            popular_ts=shard.popularity.newest_ts,
            last_update_offset=shard.visibility.last_update_offset,
        )
        keys, position, categories = self.slot.keys, shard.position, shard.categories
        tops: tuple[list[CategoryTop], list[CategoryTop]] = [], []
        if categories.known:
            dirty = categories.dirty_tops(shard.popularity, shard.registry, shard.visibility.mask)
            tops = categories.unstored(), dirty
            categories.mark_stored()
        return ShardSnapshot(
            head=head,
            pending=pending,
            rows=np.flatnonzero(shard.unsaved).astype(np.int32),
            tops=tops,
            records={
                keys.norms: shard.norms.packed_changes(position),
                keys.popularity: shard.popularity.packed_changes(position),
                keys.availability: shard.visibility.packed_changes(position),
                keys.categories: categories.packed_changes(position),
            },
            content=shard.content.packed_changes(),
            norms=norms_at(position, *shard.take_unshared()),
            items=shard.registry.ids[self._items :],
        )

    async def write(self, shard: Shard, snapshot: ShardSnapshot) -> None:
        """Store the values that were taken of the shard.

        Raises:
            PositionMovedError: another owner moved the position, or Redis went back in time.
        """
        position, items = snapshot.head.position, self._items + len(snapshot.items)
        for start in range(0, len(snapshot.rows), _ROWS_AT_ONCE):
            some = snapshot.rows[start : start + _ROWS_AT_ONCE]
            # A later change of these rows is for the next checkpoint.
            await self.slot.blobs.put(shard.position, shard.pack_rows(some))
        if any(snapshot.tops):
            await self._put_tops(position, *snapshot.tops)
        for key, records in snapshot.records.items():
            await self.slot.columns.put_records(key, position, records)
        await ContentLists(self.slot).put(position, snapshot.content)
        await self.slot.item_ids.put_ids(position, self._items, snapshot.items)
        mark = await self._sharing.write(position, snapshot.norms)
        self._failpoints.reach("neighbours.rows-put")
        head = replace(
            snapshot.head,
            norm_feed=mark.text,
            norm_feed_bytes=mark.bytes,
            norms_shared=mark.shared_at,
        )
        async with self._moving:
            await self.slot.commit(self.position, head, items)
            self.position, self._items, self._pending = position, items, snapshot.pending
        await self._sharing.committed(mark, snapshot.norms)
        self._failpoints.reach("neighbours.position-moved")

    async def _put_tops(
        self, position: int, new: list[CategoryTop], changed: list[CategoryTop]
    ) -> None:
        """Write the tops of categories, the names of new ones first."""
        await CategoryTops(self.slot).put(position, new, touched=False)
        await CategoryTops(self.slot).put(position, changed, touched=True)
        self._failpoints.reach("neighbours.tops-put")
