"""The norms that shards share, beside those that they count."""

from collections.abc import Sequence

import numpy as np
from redis.asyncio import Redis

from streamapp.core.counts.norm_table import NormTable
from streamapp.core.histories.decay import ERA_WIDTH
from streamapp.core.messages.norm_segment import decode_segments
from streamapp.inspection.counts_merge import Counts
from streamapp.store.slot.head import ShardHead
from streamapp.store.slot.slot import Slot
from streamapp.store.values.norm_feed import FeedMark, read_feed


async def read_shared(redis: Redis, slots: Sequence[Slot], heads: Sequence[ShardHead]) -> NormTable:
    """Return the norms that shards share.

    Args:
        redis: A client that returns bytes.
        slots: The slot of each shard.
        heads: Their heads.
    """
    table = NormTable(len(slots))
    for shard, (slot, head) in enumerate(zip(slots, heads, strict=True)):
        mark = FeedMark.of(head)
        for segment in decode_segments(await read_feed(redis, slot.keys, mark, 0)):
            table.update(shard, *segment, mark.shared_at)
    return table


def disputed(counts: Counts, shared: NormTable) -> list[str]:
    """Return the items whose shared norm is not the one that their owner counts."""
    norms = shared.values(shared.numbers(counts.items))
    same = (norms.sum_sq == counts.sum_sq) & (norms.users == counts.users)
    if counts.exponent is not None:
        same &= ERA_WIDTH // 2 * norms.era == counts.exponent
    return [counts.items[number] for number in np.flatnonzero(~same).tolist()]
