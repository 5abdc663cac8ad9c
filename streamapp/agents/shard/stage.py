"""ShardStage: deltas -> rows -> lists.

The owner of a shard keeps its rows in memory. Deltas are applied there, lists are published from
there, and now and then a checkpoint writes the rows that changed and then moves the fence. After a
crash the deltas behind the fence are read again; a row that was stored ahead of the fence skips
what it holds. Deltas do not wait for a checkpoint that is under way.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from streamapp.agents.runtime.background import AWAKE_S, BackgroundTask
from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.recovery import decoded, open_slot, went_back
from streamapp.agents.runtime.throttle import DutyCycle
from streamapp.agents.shard.checkpoint import Checkpoint, Pending, Taken
from streamapp.agents.shard.content_job import ContentJob
from streamapp.agents.shard.list_publisher import ItemListPublisher
from streamapp.agents.shard.sweep import ItemSweep
from streamapp.agents.shard.trending_job import TrendingJob
from streamapp.config.fingerprints import rule_text
from streamapp.core.arrays.dtypes import Ints
from streamapp.core.content.neighbours import CONTENT_KEY, decode_matches
from streamapp.core.messages.catalogue_update import UPDATE_KEY, decode_update
from streamapp.core.messages.delta import decode_delta, encode_noop
from streamapp.core.shard.shard import Shard
from streamapp.errors import PositionMovedError
from streamapp.store.slot.head import ShardHead
from streamapp.store.slot.keys import SlotKeys, rows_tag
from streamapp.store.slot.manifest import partition_count
from streamapp.store.slot.slot import Slot
from streamapp.transport.producer import Outgoing
from streamapp.transport.records import TP, Offsets, RecordBatch, RecordFingerprint

_STORE_REST = 10
"""While deltas wait, a checkpoint is under way for a tenth of the time at most."""

_AT_REST_S = 0.05
"""A shard that got no delta for so many seconds, and whose lists are out, is stored at once."""

_PUBLISH_S = 0.01
"""Lists that changed within so many seconds go out together."""

_PUBLISH_REST = 8
"""Publishing waits likewise: the more lists change at once, the more changes each list joins."""


class ShardStage:
    """The stage of one deltas partition."""

    contiguous = True

    def __init__(self, outside: StageContext, number: int) -> None:
        self._outside = outside
        self._settings, self._pipeline = outside.settings, outside.pipeline
        self._number = number
        keys = SlotKeys(outside.pipeline.state_prefix, rows_tag(number))
        self._slot = Slot(outside.redis, keys)
        self._publication = ItemListPublisher(outside, self._slot)
        is_first = number == 0
        trends = is_first and outside.pipeline.owns_trending
        matches = is_first and outside.pipeline.makes_content_lists
        self._trending = TrendingJob(outside, self._slot) if trends else None
        self._matching = ContentJob(outside, self._slot) if matches else None
        self._shard: Shard
        self._refresh: ItemSweep
        self._checkpoint: Checkpoint
        self._replayed = 0
        self._mark: RecordFingerprint | None = None
        self._republish_at: int | None = None
        self._applied_at = 0.0
        self._sweeps_first = False
        self._publishing = DutyCycle(_PUBLISH_S, _PUBLISH_REST)
        self._storing = DutyCycle(outside.settings.checkpoint_interval, _STORE_REST)
        self._aside = BackgroundTask()

    async def open(self, offsets: Mapping[TP, Offsets], *, doubt: bool) -> Mapping[TP, int]:
        """Read head, registry and norms; rows come when they are needed."""
        await self._aside.close()
        ((tp, known),) = offsets.items()
        head = await self._read(tp, known)
        await self._publication.open(self._shard, head.published or 0)
        if self._trending is not None:
            lost = doubt or went_back(head, known)
            await self._trending.open(self._publication.owner, self._shard.count, head, lost=lost)
        if self._matching is not None:
            await self._matching.open(self._publication.owner, self._shard.count)
        self._refresh = ItemSweep(
            self._shard,
            self._publication,
            self._load,
            self._outside.leisure,
            self._settings.refresh_interval,
            head.listed_update_offset,
        )
        self._replayed = head.replayed
        self._mark = RecordFingerprint.decode(head.last_record or b"")
        self._republish_at = Pending.from_head(head).republish_at
        await self._doubt_lists(tp, known, head, doubt=doubt)
        return {tp: head.position}

    async def apply(self, batches: Sequence[RecordBatch]) -> None:
        """Apply the deltas and notices of the batches in memory."""
        self._outside.leisure.applied(batches[0].read_at)
        shard = self._shard
        admitted = []
        for batch in batches:
            for record in batch.records:
                if record.key == UPDATE_KEY:
                    notice = decoded(decode_update, batch.tp, record)
                    self._replayed += not shard.apply_update(notice, record.offset)
                    continue
                if record.key == CONTENT_KEY:
                    matches = decoded(decode_matches, batch.tp, record)
                    self._replayed += not shard.apply_matches(matches, record.offset)
                    continue
                blocks = shard.admit(decoded(decode_delta, batch.tp, record))
                if blocks is None:
                    self._replayed += 1
                else:
                    admitted.append((record.offset, blocks))
        await self._load(shard.absent([blocks for _, blocks in admitted]))
        for offset, blocks in admitted:
            shard.apply(blocks, offset)
        shard.position = batches[-1].end
        self._applied_at = time.monotonic()
        self._mark = RecordFingerprint.of(batches[-1].records[-1])
        self._outside.failpoints.reach("neighbours.deltas-applied")
        self._republish()

    async def work(self, busy: bool) -> float:
        """Publish, refresh and checkpoint what is due."""
        if self._publication.arrived:
            await self._publication.settle()
        # Deltas do not wait until the broker has the lists of before; only the next lists do.
        due_in_s = [_PUBLISH_S if self._publication.under_way else await self._bring(busy=busy)]
        due_in_s.append(self._store(self._store_in_s(busy=busy)))
        if self._trending is not None:
            due_in_s.append(await self._trending.step())
        if self._matching is not None:
            due_in_s.append(await self._matching.step(busy=busy or self._shard.is_replaying))
        return max(0.0, min(due_in_s))

    async def verify(self) -> None:
        """Compare the position."""
        await self._checkpoint.verify()

    async def finish(self) -> None:
        """Publish and store everything."""
        if self._matching is not None:
            await self._matching.close()
        await self._publish(self._dirty())
        await self._publication.settle()
        await self._store_all()
        if self._trending is not None:
            await self._trending.finish()

    async def close(self) -> None:
        """End what goes on beside the lane."""
        await self._aside.close()
        if self._matching is not None:
            await self._matching.close()

    def position(self, tp: TP) -> int:
        """Return the first offset that is not applied."""
        return self._shard.position

    def mark(self, tp: TP) -> RecordFingerprint | None:
        """Return the last record that is stored, as of `open`."""
        return self._mark

    def fence(self, tp: TP) -> int:
        """Return the first offset that is not stored."""
        return self._checkpoint.position

    async def _bring(self, *, busy: bool) -> float:
        """Publish or refresh what is due; return the seconds until there is more of it.

        One group of lists goes out at a time, so they take turns: neither waits for the other to
        have nothing to send.
        """
        self._sweeps_first = not self._sweeps_first
        refresh_in_s = await self._refresh.step() if self._sweeps_first else 0.0
        if not self._publication.under_way and self._publishing.due_in_s(busy=busy) <= 0:
            dirty = self._dirty()
            await self._publish(dirty[self._publication.due_in_s(dirty) <= 0])
        if not self._publication.under_way and not self._sweeps_first:
            refresh_in_s = await self._refresh.step()
        if self._publication.under_way:
            return _PUBLISH_S
        if not len(dirty := self._dirty()):
            return refresh_in_s
        lists_due_in_s = float(self._publication.due_in_s(dirty).min())
        return min(refresh_in_s, max(self._publishing.due_in_s(busy=busy), lists_due_in_s))

    async def _doubt_lists(self, tp: TP, known: Offsets, head: ShardHead, *, doubt: bool) -> None:
        """Note from where on every list is to be published again, if at all.

        Lists may have been lost with other writes, and the output topic may hold records of a later
        `seq` than the keys; at the end of the log `seq` is above them all. Where another rule makes
        the lists, they need a `seq` that no list of the old rule has: a message of its own.
        """
        if head.rule is not None and head.rule != rule_text(self._settings):
            message = Outgoing(encode_noop(self._slot.generation, known.end))
            await self._outside.publisher.deliver({(tp.topic, tp.partition): [message]})
            self._republish_at = known.end + 1
        elif doubt or went_back(head, known):
            self._republish_at = max(known.end, self._republish_at or 0)
        self._republish()
        await self._store_all()

    def _republish(self) -> None:
        """Publish every list again, if the shard has come so far."""
        shard = self._shard
        if self._republish_at is not None and shard.position >= self._republish_at:
            shard.lists.invalidate(shard.alive())
            shard.categories.mark_all_dirty(len(shard.registry))
            self._republish_at = None

    async def _read(self, tp: TP, known: Offsets) -> ShardHead:
        """Read checkpoint and shard, again if another owner wrote to the slot in between."""
        count = await partition_count(
            self._outside.redis, self._pipeline.state_prefix, self._pipeline.deltas_topic
        )
        while True:
            head = await open_slot(
                self._outside, self._slot, ShardHead, tp, known, self._pipeline.results
            )
            self._checkpoint = Checkpoint(self._outside, self._slot, head)
            self._shard = await self._checkpoint.load(self._number, count, self._outside)
            with suppress(PositionMovedError):
                await self._slot.check(head.position)
                return head

    async def _load(self, numbers: Ints) -> None:
        if len(numbers):
            self._shard.load(numbers, await self._checkpoint.rows(numbers))

    def _store_in_s(self, *, busy: bool) -> float:
        out = not self._shard.lists.dirty.any() and not len(self._publication.on_the_way)
        stored = self._checkpoint.is_complete(self._shard.position)
        if busy or stored or not out:
            return self._storing.due_in_s(busy=busy)
        at_rest_in_s = self._applied_at + _AT_REST_S - time.monotonic()
        return min(self._storing.due_in_s(busy=busy), at_rest_in_s)

    def _dirty(self) -> Ints:
        return self._shard.lists.dirty_numbers()

    async def _publish(self, numbers: Ints) -> None:
        shard = self._shard
        if not len(numbers) or shard.is_replaying:
            return
        with self._publishing.measured():
            await self._load(numbers[~shard.rows.present[numbers]])
            numbers = numbers[~shard.ahead(numbers)]
            ranking = shard.rank(numbers)
            changed = shard.lists.differs(numbers, ranking)
            shard.lists.mark_clean(numbers[~changed])
            await self._publication.publish(shard, numbers, ranking, changed)

    def _store(self, due_in_s: float) -> float:
        """Begin a checkpoint if it is due; return the seconds until there is more of it to do."""
        if self._aside.ended():
            self._shard.shrink(self._settings.row_cache_bytes)
        if self._aside.under_way:
            return AWAKE_S
        if due_in_s <= 0:
            with self._storing.measured():
                taken = self._taken()
            if taken is not None:
                self._aside.begin(self._write(taken))
        return max(due_in_s, AWAKE_S)

    async def _store_all(self) -> None:
        """Store everything."""
        await self._aside.settle()
        if (taken := self._taken()) is not None:
            await self._write(taken)

    def _taken(self) -> Taken | None:
        shard = self._shard
        dirty = shard.lists.dirty | shard.mask(self._publication.on_the_way)
        pending = Pending.of(dirty, self._refresh.pending, self._republish_at)
        about = ShardHead(
            last_record=None if self._mark is None else self._mark.encode(),
            replayed=self._replayed,
            published=self._publication.published,
            listed_update_offset=self._refresh.turned,
        )
        return self._checkpoint.take(shard, pending, about)

    async def _write(self, taken: Taken) -> None:
        with self._storing.measured():
            await self._checkpoint.write(self._shard, taken)
