"""Applies the messages of the old state that wait in the internal topics.

Interactions that wait are applied to the histories as a worker applies them. Deltas that wait add
to the popularity of items only: the ratings in them are in the histories.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
from redis.asyncio import Redis

from streamapp.agents.histories.stage import HistoryStage
from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.internal_message import decoded_message
from streamapp.agents.runtime.item_list_cache import ItemListCache
from streamapp.agents.shard.shard_reader import read_shard
from streamapp.config.settings import Settings
from streamapp.core.arrays.array_types import Floats, Ints
from streamapp.core.messages.catalogue_update import UPDATE_KEY, decode_update
from streamapp.core.messages.content_neighbours import CONTENT_KEY, decode_content_neighbours
from streamapp.core.messages.delta import decode_deltas
from streamapp.core.messages.norm_update import NORMS_KEY
from streamapp.core.messages.popularity_increments import PopularityIncrements
from streamapp.core.shard.shard import Shard
from streamapp.errors import StateError
from streamapp.failpoints import Failpoints
from streamapp.pipelines import Pipeline, main_pipeline
from streamapp.store.lists import lists_of
from streamapp.store.slot.head import ShardHead
from streamapp.store.slot.keys import SlotKeys, histories_tag, rows_tag
from streamapp.store.slot.slot import Slot
from streamapp.transport.producer import Producer
from streamapp.transport.records import TP, KafkaRecord, Offsets, RecordBatch
from streamapp.transport.topic_scan import Span, scan


def stage_context(settings: Settings, redis: Redis, producer: Producer) -> StageContext:
    """Return what a stage of the main pipeline works with, outside a worker."""
    lists = lists_of(
        redis,
        settings.list_prefix,
        settings.state_prefix,
        settings.redis_cluster,
        ids_only=settings.list_details == "ids",
    )
    return StageContext(
        settings,
        main_pipeline(settings),
        redis,
        lists,
        ItemListCache(lists),
        producer,
        producer,
        Failpoints(settings.active_failpoint),
    )


async def apply_interactions(
    context: StageContext,
    pipeline: Pipeline,
    waiting: Mapping[TP, tuple[int, int]],
    *,
    accept_loss: bool,
) -> None:
    """Apply the interactions of a pipeline that wait, as a worker does.

    Args:
        context: Settings and connections.
        pipeline: The pipeline.
        waiting: By partition, the first offset to apply, and the end. Records below the first
            offset that are not applied are given up.
        accept_loss: Whether records may be missing in between.

    Raises:
        StateError: records are missing. What comes before them is applied.
    """
    own = replace(context, pipeline=pipeline)
    for tp, (start, end) in waiting.items():
        if tp.topic != pipeline.interactions_topic:
            continue
        head = SlotKeys(pipeline.state_prefix, histories_tag(tp.partition)).head
        await context.redis.hset(head, "position", str(start))
        offsets = {tp: Offsets(start, end, None)}
        stage = await HistoryStage.open(own, offsets, lists_suspect=False)
        try:
            async for _, records, _ in scan(context.settings, [Span(tp, start, end)]):
                if records:
                    missing = records[-1].offset + 1 - stage.position(tp) - len(records)
                    if missing and not accept_loss:
                        raise StateError(
                            f"{tp.topic}[{tp.partition}] lacks {missing:,} records from offset "
                            f"{stage.position(tp)} on; repeat with --accept-loss to give them up"
                        )
                    await stage.apply([RecordBatch(tp, records, epoch=0)])
        finally:
            await stage.close()
        if stage.position(tp) != end:
            raise StateError(
                f"{tp.topic}[{tp.partition}] was read up to offset {stage.position(tp)} of {end}; "
                "try again"
            )


async def read_popularity(
    context: StageContext, shards: int, waiting: Mapping[TP, tuple[int, int]]
) -> tuple[list[str], PopularityIncrements]:
    """Return the items that have a popularity, and what deltas add up to.

    Args:
        context: Settings and connections, and the main pipeline.
        shards: How many shards the old state has.
        waiting: By partition, the first offset to apply, and the end.

    A shard whose head is missing has none.
    """
    ids: list[str] = []
    parts: list[tuple[Floats, Ints]] = []
    newest_ts = -np.inf
    for number in range(shards):
        shard = await _read(context, number, shards)
        if shard is None:
            continue
        tp = TP(context.pipeline.deltas_topic, number)
        start, end = waiting.get(tp, (0, 0))
        async for _, records, _ in scan(context.settings, [Span(tp, start, end)]):
            for record in records:
                _add_popularity(shard, tp, record)
        popularity = shard.popularity
        numbers = np.flatnonzero(popularity.mass[: len(shard.registry)] > 0)
        ids += [shard.registry.ids[one] for one in numbers.tolist()]
        parts.append((popularity.mass[numbers], popularity.exponent[numbers]))
        newest_ts = max(newest_ts, popularity.newest_ts)
    none = np.zeros(0)
    return ids, PopularityIncrements(
        np.arange(len(ids), dtype=np.int32),
        np.concatenate([none, *(mass for mass, _ in parts)]),
        np.concatenate([none, *(exponent for _, exponent in parts)]).astype(np.int32),
        float(newest_ts),
    )


async def _read(context: StageContext, number: int, shards: int) -> Shard | None:
    slot = Slot(context.redis, SlotKeys(context.pipeline.state_prefix, rows_tag(number)))
    try:
        head = await slot.head(ShardHead)
    except StateError:
        head = None
    if head is None:
        return None
    slot.state_id = head.state_id
    return await read_shard(context, slot, head, number, shards)


def _add_popularity(shard: Shard, tp: TP, record: KafkaRecord) -> None:
    """Number the items of a message as its shard does, and add what it adds to popularity."""
    if record.key == UPDATE_KEY:
        shard.apply_update(decoded_message(decode_update, tp, record), record.offset)
    elif record.key == CONTENT_KEY:
        content = decoded_message(decode_content_neighbours, tp, record)
        shard.apply_content_neighbours(content, record.offset)
    elif record.key != NORMS_KEY:
        deltas = decoded_message(partial(decode_deltas, record.key), tp, record)
        for blocks in shard.admit_all(deltas):
            if blocks is not None:
                shard.popularity.add(blocks.increments, record.offset, shard.registry)
