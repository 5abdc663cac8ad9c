"""Polls the most popular items that shards have stored, for the job that merges them."""

from collections.abc import Sequence

from streamapp.agents.polling.poll import Poll
from streamapp.agents.polling.shard_heads import ShardHeads
from streamapp.store.slot.head import ShardHead

_LATER_S = 4 / 3
"""Most seconds until the job sees what another worker stored. With the default `REFRESH_INTERVAL`,
sweeps poll as often, and share the reads."""


class PopularItems:
    """The most popular items of the shards of one pipeline.

    Args:
        heads: The heads of the shards.
        keys: The keys of the heads.
        soon_s: Seconds between polls while this worker stores something.
    """

    def __init__(self, heads: ShardHeads, keys: Sequence[str], soon_s: float) -> None:
        self._heads = heads
        self._keys = keys
        self._poll = Poll(heads, soon_s, max(soon_s, _LATER_S))

    @property
    def due_in_s(self) -> float:
        """The seconds until it is known whether a poll is due; 0 if one is."""
        return self._poll.due_in_s

    async def differ(self, merged: Sequence[ShardHead | None]) -> bool:
        """Poll if it is time; say whether shards have stored something else than `merged`."""
        if self._poll.due_in_s > 0:
            return False
        self._poll.begin()
        differ = await self.read() != merged
        self._poll.end(idle=not differ)
        return differ

    async def read(self) -> list[ShardHead | None]:
        """Return position, most popular items and newest event time of every shard."""
        heads = await self._heads.read(self._keys, "popular", "popular_ts")
        # Without what other jobs have asked for.
        return [
            head and ShardHead(head.position, popular=head.popular, popular_ts=head.popular_ts)
            for head in heads
        ]
