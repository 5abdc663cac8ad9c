"""Reads a shard from its slot."""

from streamapp.agents.runtime.context import StageContext
from streamapp.agents.shard.pending_lists import PendingLists
from streamapp.config.rules import item_rule
from streamapp.core.counts.norms_and_rows import NormsAndRows
from streamapp.core.ids.role_registry import registry_of
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.norm_update import positions_in
from streamapp.core.shard.content_lists import ShardContentLists
from streamapp.core.shard.shard import Shard
from streamapp.core.shard.visibility import Visibility
from streamapp.core.trending.categories import Categories
from streamapp.core.trending.popularity import Popularity
from streamapp.store.slot.head import ShardHead
from streamapp.store.slot.slot import Slot
from streamapp.store.values.category_tops import CategoryTops
from streamapp.store.values.content import ContentLists


async def read_shard(
    context: StageContext,
    slot: Slot,
    head: ShardHead,
    number: int,
    count: int,
) -> Shard:
    """Return a shard as it is stored, without its rows.

    Another owner may write meanwhile, so the caller compares the position afterwards.

    Args:
        context: Settings and connections.
        slot: The slot of the shard.
        head: Its head.
        number: Which shard it is.
        count: Of how many.
    """
    pipeline, rule, keys = context.pipeline, item_rule(context.settings), slot.keys
    registry = await slot.item_ids.registry(registry_of(pipeline.kind))
    packed = await slot.columns.read(keys.norms)
    counts = NormsAndRows.unpack(packed, decayed=pipeline.decay is not None)
    visibility = Visibility(await slot.columns.read(keys.availability), head.last_update_offset)
    visibility.reserve(len(registry))
    packed = await slot.columns.read(keys.popularity)
    popularity = Popularity.unpack(packed, rule.top_n, registry, visibility.mask)
    content = ShardContentLists()
    if pipeline.makes_content_lists:
        content = await ContentLists(slot).read()
    popularity.newest_ts = head.popular_ts
    shard = Shard(
        number=number,
        count=count,
        rule=rule,
        state_id=slot.state_id,
        position=head.position,
        registry=registry,
        counts=counts,
        applied_offsets=AppliedOffsets(head.applied_offsets),
        popularity=popularity,
        visibility=visibility,
        categories=await _read_categories(context, slot),
        content=content,
        norms_seen=positions_in(head.norms_seen, count),
        norms_taken=head.norms_taken,
        tolerance=context.settings.list_tolerance,
    )
    if not head.norm_feed:
        shard.share_all()
    PendingLists.from_head(head).restore(shard)
    return shard


async def _read_categories(context: StageContext, slot: Slot) -> Categories:
    """Return the categories as they are stored.

    Their names are read last, so that every category that an item refers to is among them.
    """
    if not context.pipeline.catalogue_topic:
        return Categories()
    packed = await slot.columns.read(slot.keys.categories)
    return Categories(packed, await CategoryTops(slot).numbers())
