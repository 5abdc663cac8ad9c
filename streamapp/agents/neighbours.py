"""Agents. Neighbours: deltas -> rows -> lists.

The owner of a shard keeps its rows in memory. Deltas are applied there, lists are published from
there, and now and then a checkpoint writes the rows that changed and then moves the fence. After a
crash the deltas behind the fence are read again; a row that was stored ahead of the fence skips
what it holds.
"""

import time
from collections.abc import Mapping, Sequence

import numpy as np
from faust.types import TP

from streamapp.agents.opening import decoded, open_slot, went_back
from streamapp.agents.outside import Outside
from streamapp.agents.publication import Publication
from streamapp.agents.refresh import Refresh
from streamapp.core.arrays import Ints
from streamapp.core.delta import decode_delta
from streamapp.core.fence import Fences
from streamapp.core.norms import NORM, Norms
from streamapp.core.shard import Shard
from streamapp.store.keys import SlotKeys, rows_tag
from streamapp.store.slot import Head, Slot
from streamapp.transport.records import Offsets, RecordBatch

_LATE_S = 1.0
"""Seconds between publications while deltas wait: what is late gains nothing from haste."""

_SHARE = 10
"""A checkpoint rests ten times as long as the last one took, so that it costs a tenth at most."""


class Neighbours:
    """The stage of one deltas partition."""

    def __init__(self, outside: Outside, number: int) -> None:
        self._settings = outside.settings
        self._publisher = outside.publisher
        self._failpoints = outside.failpoints
        self._number = number
        keys = SlotKeys(outside.settings.state_prefix, rows_tag(number))
        self._slot = Slot(outside.redis, keys)
        self._publication = Publication(outside)
        self._shard: Shard
        self._refresh: Refresh
        self._stored = 0
        self._stored_items = 0
        self._stored_pending = b"", b""
        self._republish_at: int | None = None
        self._published_at = 0.0
        self._checkpoint_at = 0.0

    async def open(self, offsets: Mapping[TP, Offsets], *, doubt: bool) -> Mapping[TP, int]:
        """Read head, registry and norms; rows come when they are needed."""
        await self._publication.open()
        ((tp, known),) = offsets.items()
        head = await open_slot(self._slot, tp, known, self._settings.results)
        count = await self._publisher.partitions(self._settings.deltas_topic)
        registry = await self._slot.registry()
        norms = Norms.unpack(await self._slot.norms())
        self._shard = Shard(self._number, count, self._settings.rule, head.position, registry,
                            norms, Fences(head.fences))  # fmt: skip
        pending = head.fields.get("dirty", b""), head.fields.get("moved", b"")
        self._shard.dirty[np.frombuffer(pending[0], "<i4")] = True
        self._shard.norms.moved[np.frombuffer(pending[1], "<i4")] = True
        self._shard.norms.fell[np.frombuffer(pending[1], "<i4")] = True
        self._refresh = Refresh(self._shard, self._publication, self._load,
                                self._settings.refresh_interval)  # fmt: skip
        self._stored, self._stored_items = head.position, len(registry)
        self._stored_pending = pending
        self._republish_at = known.end if doubt or went_back(head, known) else None
        self._republish()
        return {tp: head.position}

    async def apply(self, batches: Sequence[RecordBatch]) -> None:
        """Apply the deltas of the batches in memory."""
        shard = self._shard
        admitted = []
        for batch in batches:
            for record in batch.records:
                blocks = shard.admit(decoded(decode_delta, batch.tp, record))
                if blocks is not None:
                    admitted.append((record.offset, blocks))
        await self._load(shard.absent([blocks for _, blocks in admitted]))
        for offset, blocks in admitted:
            shard.apply(blocks, offset)
        shard.position = batches[-1].end
        self._failpoints.reach("neighbours.deltas-applied")
        self._republish()

    async def work(self, busy: bool) -> float:
        """Publish, refresh and checkpoint what is due."""
        now = time.monotonic()
        settings = self._settings
        interval = max(settings.publish_interval, _LATE_S) if busy else settings.publish_interval
        if now >= self._published_at + interval:
            await self._publish()
            self._published_at = time.monotonic()
        refreshed = await self._refresh.step()
        if now >= self._checkpoint_at:
            await self._checkpoint()
        due = [refreshed, self._checkpoint_at - time.monotonic()]
        if self._shard.dirty.any():
            due.append(self._published_at + settings.publish_interval - time.monotonic())
        return max(0.0, min(due))

    async def verify(self) -> None:
        """Compare the position."""
        await self._slot.check(self._stored)

    async def finish(self) -> None:
        """Publish and store everything."""
        await self._publish()
        await self._checkpoint()

    def fence(self, tp: TP) -> int:
        """Return the first offset that is not stored."""
        return self._stored

    def _republish(self) -> None:
        """Publish every list again once the shard has caught up with a Redis that lost writes.

        Lists may have been lost with them, and the output topic may hold records of a later `seq`
        than the keys; from the old end of the log on, `seq` is above them all.
        """
        shard = self._shard
        if self._republish_at is not None and shard.position >= self._republish_at:
            shard.dirty[shard.alive()] = True
            shard.known[:] = False
            self._republish_at = None

    async def _load(self, numbers: Ints) -> None:
        if len(numbers):
            stored = await self._slot.read(numbers.tolist())
            self._shard.load(numbers, stored)

    async def _publish(self) -> None:
        shard = self._shard
        numbers = np.flatnonzero(shard.dirty).astype(np.int32)
        if not len(numbers):
            return
        await self._load(numbers[~shard.rows.present[numbers]])
        ranking = shard.rank(numbers)
        changed = shard.differs(numbers, ranking)
        shard.dirty[numbers[~changed]] = False
        await self._publication.publish(shard, numbers, ranking, changed)

    async def _checkpoint(self) -> None:
        """Store rows, then norms, registry and what is still to publish together with the fence."""
        shard, started = self._shard, time.monotonic()
        pending = _numbers(shard.dirty), _numbers(self._refresh.pending)
        if shard.position != self._stored or pending != self._stored_pending:
            numbers = np.flatnonzero(shard.unsaved).tolist()
            await self._slot.put(
                shard.position, ((number, shard.packed(number)) for number in numbers)
            )
            self._failpoints.reach("neighbours.rows-put")
            await self._slot.commit(
                self._stored,
                Head(shard.position, shard.fences.as_dict(),
                     {"dirty": pending[0], "moved": pending[1]}),
                self._stored_items,
                shard.registry.ids[self._stored_items :],
                [(number * NORM.itemsize, norm) for number, norm in shard.norms.packed_changes()],
            )  # fmt: skip
            self._failpoints.reach("neighbours.position-moved")
            shard.unsaved[numbers] = False
            self._stored, self._stored_items = shard.position, len(shard.registry)
            self._stored_pending = pending
            shard.shrink(self._settings.row_cache_bytes)
        finished = time.monotonic()
        rest = max(self._settings.checkpoint_interval, _SHARE * (finished - started))
        self._checkpoint_at = finished + rest


def _numbers(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> bytes:
    return np.flatnonzero(flags).astype("<i4").tobytes()
