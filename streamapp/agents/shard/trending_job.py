"""TrendingJob: the most popular items of every shard -> one list, and one of each category.

Each shard stores its own most popular items with its checkpoints; the owner of the first shard
merges them. The popularity of all items fades alike, so a list only changes with events, and with
what the catalogue says. Where there are categories, what happened is merged in rounds: from the
positions that are merged to those that the shards have stored, some lists at a time (ADR-0014).
"""

import asyncio
import math
import time
from collections.abc import Sequence

from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.list_sender import ListSender
from streamapp.core.list_kinds import TRENDING
from streamapp.core.lists.list_format import encode_trending
from streamapp.core.trending.popularity import Popular, most_popular
from streamapp.store.slot.head import ShardHead
from streamapp.store.slot.keys import SlotKeys, rows_tag
from streamapp.store.slot.slot import Slot
from streamapp.store.values.category_tops import CategoryTops
from streamapp.store.versions import positions_of, positions_text, read_heads

KIND = TRENDING

_AT_ONCE = 500
"""Most lists of categories that go out together."""

_PART = ""
"""What is noted when lists are on the topic that are not the last ones of a round."""


class TrendingJob:
    """The lists of what is trending; the owner of the shard whose slot is `slot` makes them."""

    def __init__(self, outside: StageContext, slot: Slot) -> None:
        settings = outside.settings
        self._half_life_s = settings.trending_half_life
        self._in_categories = bool(outside.pipeline.catalogue_topic)
        self._top_n = settings.top_n
        self._interval_s = settings.publish_interval
        self._prefix = outside.pipeline.state_prefix
        self._redis = outside.redis
        self._lists = outside.lists
        self._failpoints = outside.failpoints
        self._slot = slot
        self._delivery = ListSender(outside, slot, KIND, "trending.sent")
        self._heads: list[str] = []
        self._tops: list[CategoryTops] = []
        self._merged: list[ShardHead | None] = []
        self._standing: tuple[list[Popular], float] | None = None
        self._lost = False
        self._since: list[int] = []
        self._began: list[ShardHead | None] = []
        self._round = ""
        self._queue: list[str] = []
        self._on_the_way: str | None = None
        self._due_at = 0.0

    async def open(self, owner: str, shards: int, head: ShardHead, *, lost: bool) -> None:
        """Begin anew; the list of all is published in any case, for the topic may not have it.

        Args:
            owner: Who has claimed the slot.
            shards: How many there are.
            head: Of the slot.
            lost: Whether lists may have been lost: then those of all categories are published too.
        """
        await self._delivery.open(owner)
        keys = [SlotKeys(self._prefix, rows_tag(shard)) for shard in range(shards)]
        self._heads = [one.head for one in keys]
        self._tops = [CategoryTops(self._redis, one) for one in keys] if self._in_categories else []
        self._merged, self._standing, self._lost = [], None, lost
        merged = positions_of(head.trending_version)
        self._since = merged if len(merged) == shards and not lost else [0] * shards
        self._began, self._round, self._queue = [], "", []
        self._on_the_way, self._due_at = None, 0.0

    async def step(self) -> float:
        """Publish lists that changed; return the seconds until the next look.

        Raises:
            ClaimLostError: another worker has claimed the shard.
        """
        if self._delivery.arrived:
            await self.settle()
        if (wait_s := self._due_at - time.monotonic()) > 0:
            return wait_s
        if self._on_the_way is None and (self._queue or await self._read() != self._merged):
            await self._merge()
        self._due_at = time.monotonic() + self._interval_s
        return self._interval_s

    async def finish(self) -> None:
        """Publish what the shards have stored by now."""
        await self.settle()
        self._queue = []
        while await self._merge():
            await self.settle()
            if not self._queue:
                return

    async def settle(self) -> None:
        """Return when the topic has the lists, and the head says of what they are, if of all."""
        await self._delivery.settle()
        on_the_way, self._on_the_way = self._on_the_way, None
        if on_the_way:
            await self._slot.set_field(
                self._delivery.owner, ShardHead, "trending_version", on_the_way
            )
            self._since = positions_of(on_the_way)

    async def _read(self) -> list[ShardHead | None]:
        """Return position, most popular items and newest event time of every shard."""
        return await read_heads(self._redis, self._heads, ShardHead, "popular", "popular_ts")

    async def _merge(self) -> bool:
        """Publish the list of all if it changed, and some of the categories that are queued.

        Returns:
            Whether they are on their way. If not, a later list stands, as the clock was set back.
        """
        seq = await self._slot.tick(self._delivery.owner)
        found = await self._read()
        shown = self._shown(found)
        if not self._queue:
            self._began, self._round = found, positions_text(found)
            # Categories are stored ahead of their first event, and have no time without any.
            if shown[1] > -math.inf:
                self._queue = await self._touched(positions_of(self._round))
        some = self._queue[:_AT_ONCE]
        content = encode_trending(*shown, seq, self._half_life_s)
        lists: dict[str, bytes] = {}
        if shown != self._standing and (content or await self._may_stand()):
            lists[""] = content
        for category, popular in zip(some, await self._popular(some), strict=True):
            lists[category] = encode_trending(popular, shown[1], seq, self._half_life_s, category)
        if lists:
            standing = await self._lists.replace(KIND, list(lists.items()), seq)
            self._failpoints.reach("trending.replaced")
            if None in standing:
                return False
        # What happened since the round began is for the next one.
        self._merged, self._standing = self._began, shown
        del self._queue[: len(some)]
        self._on_the_way = _PART if self._queue else self._round
        self._delivery.send(lists)
        return True

    async def _may_stand(self) -> bool:
        """Say whether there may be a list of all, in Redis or on the topic."""
        return self._lost or bool((await self._lists.standing(KIND, [""]))[0])

    def _shown(self, found: Sequence[ShardHead | None]) -> tuple[list[Popular], float]:
        """Return what the list shows, and its time; nothing where there is to be no list."""
        heads = [head for head in found if head]
        popular = [one for head in heads for one in head.popular]
        newest_ts = max((head.popular_ts for head in heads), default=-math.inf)
        if not self._half_life_s:
            return [], newest_ts
        return most_popular(popular, self._top_n), newest_ts

    async def _touched(self, positions: Sequence[int]) -> list[str]:
        """Return the categories in which something happened since what is merged.

        Where a shard is behind that, Redis went back in time, and all of its categories are meant.
        """
        since = [at if at <= now else 0 for at, now in zip(self._since, positions, strict=True)]
        touched = await asyncio.gather(
            *(tops.touched_since(at) for tops, at in zip(self._tops, since, strict=False))
        )
        return sorted({category for some in touched for category in some})

    async def _popular(self, categories: Sequence[str]) -> list[list[Popular]]:
        """Return what the lists of categories show."""
        by_shard = await asyncio.gather(*(tops.read(categories) for tops in self._tops))
        return [
            most_popular((one for top in some for one in top), self._top_n)
            for some in zip(*by_shard, strict=True)
        ]
