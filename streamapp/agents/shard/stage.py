"""Turns deltas into rows, and rows into item lists.

The owner of a shard keeps its rows in memory. It applies deltas there and publishes lists from
there. Now and then a checkpoint writes the rows that changed and then moves the stored position.
After a crash the next owner reads the deltas behind that position again; a row that was stored
ahead of it skips deltas that it holds already. Deltas do not wait for a checkpoint.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Self

from streamapp.agents.norms.exchange import NormExchange
from streamapp.agents.norms.sharing import NormSharing
from streamapp.agents.norms.taking import NormTaking
from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.slot_opening import open_slot, rolled_back
from streamapp.agents.shard.checkpoint import Checkpoint
from streamapp.agents.shard.checkpoint_scheduler import CheckpointScheduler
from streamapp.agents.shard.content_job import ContentJob
from streamapp.agents.shard.item_list_publisher import ItemListPublisher
from streamapp.agents.shard.log_applier import LogApplier
from streamapp.agents.shard.norm_change_sweep import NormChangeSweep
from streamapp.agents.shard.publish_scheduler import PublishScheduler
from streamapp.agents.shard.republication import Republication, republish_from
from streamapp.agents.shard.shard_reader import read_shard
from streamapp.agents.trending.trending_job import TrendingJob
from streamapp.core.shard.shard import Shard
from streamapp.errors import PositionMovedError
from streamapp.pipelines import Pipeline
from streamapp.store.slot.head import ShardHead
from streamapp.store.slot.keys import SlotKeys, rows_tag
from streamapp.store.slot.slot import Slot
from streamapp.store.state_layout import partition_count
from streamapp.store.values.norm_feed import FeedMark
from streamapp.transport.records import TP, Offsets, RecordBatch, RecordFingerprint


class ShardStage:
    """The stage of one deltas partition.

    Args:
        context: Settings and connections.
        taking: Takes the norms of the items of other shards.
        shard: The shard in memory.
        checkpoint: Reads and writes its slot.
        publisher: Publishes its lists.
        head: The head of its slot.
        republish_at: Position from which every list is published again; None for none.
    """

    contiguous = True

    def __init__(
        self,
        context: StageContext,
        taking: NormTaking,
        shard: Shard,
        checkpoint: Checkpoint,
        publisher: ItemListPublisher,
        head: ShardHead,
        republish_at: int | None,
    ) -> None:
        settings = context.settings
        load = partial(checkpoint.load_missing, shard)
        last = RecordFingerprint.decode(head.last_record or b"")
        self.slots = [checkpoint.slot]
        self._budget = context.budget
        self._failpoints = context.failpoints
        self._taking = taking
        self._shard = shard
        self._checkpoint = checkpoint
        self._sender = publisher.sender
        self._log = LogApplier(shard, load, head.replayed, last)
        self._republication = Republication(shard, republish_at)
        self._sweep = NormChangeSweep(
            shard, publisher, load, context.budget, settings.refresh_interval,
            head.listed_update_offset,
        )  # fmt: skip
        self._publishing = PublishScheduler(shard, publisher, self._sweep, load, context.budget)
        self._storing = CheckpointScheduler(
            context, shard, checkpoint, self._log, publisher, self._sweep, self._republication
        )
        self._trending: TrendingJob | None = None
        self._content: ContentJob | None = None

    @classmethod
    async def open(
        cls,
        context: StageContext,
        exchange: NormExchange,
        offsets: Mapping[TP, Offsets],
        *,
        lists_suspect: bool,
    ) -> Self:
        """Read head, registry and norms, and claim the slot; rows are read when they are needed."""
        ((tp, known),) = offsets.items()
        pipeline, prefix = context.pipeline, context.pipeline.state_prefix
        shards = await partition_count(context.redis, prefix, pipeline.deltas_topic)
        slot = Slot(context.redis, SlotKeys(prefix, rows_tag(tp.partition)))
        while True:
            head = await open_slot(context, slot, ShardHead, tp, known, pipeline.results)
            shard = await read_shard(context, slot, head, tp.partition, shards)
            # Another owner may have written in between.
            with suppress(PositionMovedError):
                await slot.check(head.position)
                break
        table = await exchange.open(tp.partition, shards, slot.state_id)
        shard.translate_with(exchange.received)
        sharing = NormSharing(exchange, slot, tp.partition, FeedMark.of(head))
        checkpoint = Checkpoint(context, slot, head, len(shard.registry), sharing)
        items = len(shard.registry)
        publisher = await ItemListPublisher.open(context, slot, head.published or 0, items)
        lists_suspect = lists_suspect or rolled_back(head, known) > 0
        republish_at = await republish_from(
            context, slot, tp, known, head, lists_suspect=lists_suspect
        )
        taking = NormTaking(context, exchange, table, shard)
        stage = cls(context, taking, shard, checkpoint, publisher, head, republish_at)
        owner = publisher.sender.owner
        if owns_trending(pipeline, tp.partition):
            stage._trending = await TrendingJob.open(
                context, slot, owner, shards, head, lists_suspect=lists_suspect
            )
        if tp.partition == 0 and pipeline.makes_content_lists:
            stage._content = await ContentJob.open(context, slot, owner, shards)
        stage._republication.step()
        # The next owner has to know which lists to publish again.
        await stage._storing.store_all()
        return stage

    def connect(self, wake: Callable[[], None]) -> None:
        """Let the task go on when a checkpoint has ended, and when lists or norms were sent."""
        self._publishing.connect(wake)
        self._storing.connect(wake)
        self._taking.connect(wake)

    async def apply(self, batches: Sequence[RecordBatch]) -> None:
        """Apply the messages of the batches to the shard in memory."""
        self._budget.applied(batches[0].read_at)
        await self._log.apply(batches)
        self._failpoints.reach("neighbours.deltas-applied")
        self._republication.step()

    async def work(self, busy: bool) -> float:
        """Publish, sweep and store when each is due."""
        due_in_s = [
            await self._publishing.step(busy=busy),
            await self._storing.step(busy=busy),
            await self._taking.step(),
        ]
        if self._trending is not None:
            due_in_s.append(await self._trending.step())
        if self._content is not None:
            replaying = self._shard.is_replaying
            due_in_s.append(await self._content.step(busy=busy or replaying))
        return max(0.0, min(due_in_s))

    async def finish(self, until: float = math.inf) -> None:
        """Publish and store everything, or what there is time for."""
        if self._content is not None:
            await self._content.cancel()
        await self._publishing.publish_all(until)
        await self._storing.store_all()
        if self._trending is not None:
            await self._trending.finish(until)

    async def close(self) -> None:
        """Cancel a checkpoint and a pass over content neighbours, and end a sweep."""
        await self._taking.close()
        self._sweep.close()
        await self._storing.cancel()
        if self._content is not None:
            await self._content.cancel()

    async def drain(self) -> None:
        """Wait until the broker has every list that was sent."""
        await self._sender.join()
        if self._trending is not None:
            await self._trending.drain()

    def position(self, tp: TP) -> int:
        """Return the first offset that is not applied."""
        return self._shard.position

    def stored_position(self, tp: TP) -> int:
        """Return the first offset that is not stored."""
        return self._checkpoint.position

    def fingerprint(self, tp: TP) -> RecordFingerprint | None:
        """Return that of the last record that is applied."""
        return self._log.fingerprint


def owns_trending(pipeline: Pipeline, number: int) -> bool:
    """Say whether the owner of a shard of this number makes the trending lists."""
    return number == 0 and pipeline.owns_trending
