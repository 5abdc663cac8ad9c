"""Shares the norms of a shard's items with the other shards."""

from secrets import token_hex

import numpy as np

from streamapp.agents.norms.exchange import NormExchange
from streamapp.core.messages.norm_segment import NormSegment, encode_segments
from streamapp.core.messages.norm_values import NormValues
from streamapp.store.slot.slot import Slot
from streamapp.store.values.norm_feed import FeedMark, most_feed_bytes, put_feed, remove_feed


class NormSharing:
    """The norm feed of one shard, for its owner.

    A new owner begins a feed of its own: the end of the stored one may hold what the owner before
    wrote and did not commit.

    Args:
        exchange: Of the worker.
        slot: The slot of the shard.
        shard: The shard.
        mark: The feed, as the head has it.
    """

    def __init__(self, exchange: NormExchange, slot: Slot, shard: int, mark: FeedMark) -> None:
        self.mark = mark
        self._exchange = exchange
        self._slot = slot
        self._shard = shard
        self._is_own = False
        self._begun_bytes = 0

    async def write(self, position: int, changed: NormSegment) -> FeedMark:
        """Write norms that changed ahead of the position; return the feed with them.

        Raises:
            PositionMovedError: as for `Slot.write`.
        """
        mark = self.mark
        if not changed.ids:
            return mark
        segments = encode_segments(changed)
        size = mark.bytes + sum(map(len, segments))
        if not self._is_own or size > most_feed_bytes(self._begun_bytes):
            mark = mark.next(token_hex(4))
            segments = encode_segments(self._exchange.shared(self._shard)) + segments
            self._begun_bytes = sum(map(len, segments))
        size = await put_feed(self._slot, mark, position, segments)
        return mark._replace(bytes=size, shared_at=position)

    async def committed(self, mark: FeedMark, changed: NormSegment) -> None:
        """Let the shards of this worker see norms that are stored now."""
        before, self.mark = self.mark, mark
        if mark == before:
            return
        self._is_own = True
        self._exchange.share(self._shard, mark, changed)
        if before.name != mark.name:
            await remove_feed(self._slot.redis, self._slot.keys, before)


def norms_at(position: int, ids: list[str], values: NormValues) -> NormSegment:
    """Return norms that all belong to one position."""
    return NormSegment(ids, np.full(len(ids), position, np.int64), values)
