"""Merges the most popular items of all shards into one list, and into one list of each category.

Each shard stores its own most popular items with its checkpoints. The owner of the first shard
merges them. The popularity of all items fades alike, so a list changes only with events and with
the catalogue. The lists of categories are made in passes: a pass covers what happened between the
positions that were merged before and those that the shards have stored by now. It publishes some
lists at a time (ADR-0014).
"""

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Self

from streamapp.agents.polling.popular_items import PopularItems
from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.list_sender import ListSender
from streamapp.agents.scheduling.due_time import DueTime
from streamapp.agents.trending.trending_comparison import TrendingComparison
from streamapp.core.list_kinds import TRENDING
from streamapp.core.lists.list_format import encode_trending
from streamapp.core.trending.popularity import Popular, most_popular
from streamapp.store.input_versions import positions_of, positions_text
from streamapp.store.slot.head import ShardHead
from streamapp.store.slot.keys import SlotKeys, rows_tag
from streamapp.store.slot.slot import Slot
from streamapp.store.values.category_tops import CategoryTops

KIND = TRENDING

_AT_ONCE = 500
"""Most lists of categories that go out together."""

_NOT_LAST = ""
"""The `about` of a batch of lists that is not the last one of a pass."""


class TrendingJob:
    """Makes the trending lists, for the owner of the first shard.

    Args:
        context: Settings and connections.
        slot: The slot of the first shard.
        sender: Sends lists for its owner; with the last batch of a pass go the merged positions.
        shards: How many shards there are.
        merged: The position of each shard up to which category lists are merged.
        lists_suspect: Whether lists may be lost; then all lists are published again.
    """

    def __init__(
        self,
        context: StageContext,
        slot: Slot,
        sender: ListSender[str],
        shards: int,
        merged: list[int],
        *,
        lists_suspect: bool,
    ) -> None:
        settings = context.settings
        keys = [SlotKeys(context.pipeline.state_prefix, rows_tag(shard)) for shard in range(shards)]
        self._half_life_s = settings.trending_half_life
        self._top_n = settings.top_n
        self._interval_s = settings.publish_interval
        self._lists = context.lists
        self._failpoints = context.failpoints
        self._slot = slot
        self._sender = sender
        self._heads = context.heads
        self._stored = PopularItems(self._heads, [one.head for one in keys], self._interval_s)
        categories = keys if context.pipeline.catalogue_topic else []
        self._tops = [CategoryTops(Slot(context.redis, one)) for one in categories]
        self._comparison = TrendingComparison(context.lists, settings, lists_suspect=lists_suspect)
        self._due_time = DueTime()
        self._merged = merged
        self._merged_heads: list[ShardHead | None] = []
        self._pass_heads: list[ShardHead | None] = []
        self._pass_positions = ""
        self._queue: list[str] = []

    @classmethod
    async def open(
        cls,
        context: StageContext,
        slot: Slot,
        owner: str,
        shards: int,
        head: ShardHead,
        *,
        lists_suspect: bool,
    ) -> Self:
        """Return the job of a new owner.

        It always publishes the list of all items, because the topic may not have it.

        Args:
            context: Settings and connections.
            slot: The slot of the first shard.
            owner: The token with which the slot was claimed.
            shards: How many shards there are.
            head: The head of the slot.
            lists_suspect: Whether lists may be lost; then those of all categories are published.
        """
        sender = await ListSender[str].open(context, slot, KIND, owner, "trending.sent")
        merged = positions_of(head.trending_version)
        if lists_suspect:
            # The next owner merges all categories too, if this one dies before it has.
            await slot.ownership.set_field(owner, ShardHead, "trending_version", "")
        if lists_suspect or len(merged) != shards:
            merged = [0] * shards
        return cls(context, slot, sender, shards, merged, lists_suspect=lists_suspect)

    async def step(self) -> float:
        """Publish lists that changed; return the seconds until the next step.

        Raises:
            ClaimLostError: another worker has claimed the shard.
        """
        if self._sender.is_done:
            await self.join()
        if not self._due_time.is_due:
            return self._due_time.due_in_s
        if self._sender.in_flight is None:
            if not self._queue and not await self._stored.differ(self._merged_heads):
                return self._stored.due_in_s
            await self._merge()
        self._due_time.restart(self._interval_s)
        return self._interval_s

    async def finish(self, until: float = math.inf) -> None:
        """Publish lists of the tops that the shards have stored.

        Args:
            until: Monotonic time in seconds. The next owner begins the pass again after it.
        """
        await self.join()
        self._queue = []
        while time.monotonic() < until and await self._merge():
            await self.join()
            if not self._queue:
                return

    async def join(self) -> None:
        """Wait until the topic has the lists; after a whole pass, store the merged positions."""
        positions = await self._sender.join()
        if positions:
            await self._slot.ownership.set_field(
                self._sender.owner, ShardHead, "trending_version", positions
            )
            self._merged = positions_of(positions)
            self._comparison.all_sent()
            self._heads.changed()

    async def drain(self) -> None:
        """Wait until the topic has the lists that were sent, and store nothing."""
        await self._sender.join()

    async def _merge(self) -> bool:
        """Publish the list of all items if it changed, and the next categories of the pass.

        Returns:
            Whether lists are in flight. If not, Redis holds a later list, because the clock was
            set back.
        """
        seq = await self._slot.ownership.next_timestamp(self._sender.owner)
        heads = await self._stored.read()
        of_all, as_of = self._most_popular(heads)
        if not self._queue:
            self._pass_heads = heads
            self._pass_positions = positions_text(heads)
            # Categories are stored ahead of their first event; they have no time before one.
            if as_of > -math.inf:
                self._queue = await self._changed(positions_of(self._pass_positions))
        some = self._queue[:_AT_ONCE]
        made = {"": of_all, **dict(zip(some, await self._popular(some), strict=True))}
        lists = {
            category: encode_trending(made[category], as_of, seq, self._half_life_s, category)
            for category in await self._comparison.differing(made, as_of)
        }
        if lists:
            stored = await self._lists.replace(KIND, list(lists.items()), seq)
            self._failpoints.reach("trending.replaced")
            if None in stored:
                self._comparison.not_sent()
                later = await self._lists.get_versions(KIND, list(lists))
                # The next list passes those that a state before this one left behind.
                await self._slot.ownership.next_timestamp(
                    self._sender.owner, after=max(seq for _, seq in later)
                )
                return False
        # Changes since the pass began are for the next one.
        self._merged_heads = self._pass_heads
        self._comparison.replaced(of_all, as_of)
        del self._queue[: len(some)]
        self._sender.send(lists, seq, _NOT_LAST if self._queue else self._pass_positions)
        return True

    def _most_popular(self, heads: list[ShardHead | None]) -> tuple[list[Popular], float]:
        """Return the list of all items and its time; no items if there should be no list."""
        # A shard without a time has popularity that an owner stored ahead of the events behind it.
        known = [head for head in heads if head is not None and head.popular_ts > -math.inf]
        newest_ts = max((head.popular_ts for head in known), default=-math.inf)
        if not self._half_life_s:
            return [], newest_ts
        popular = (one for head in known for one in head.popular)
        return most_popular(popular, self._top_n), newest_ts

    async def _changed(self, positions: Sequence[int]) -> list[str]:
        """Return the categories with events since the merged positions.

        A shard whose position is below the merged one went back in time with its Redis; all of its
        categories count as changed.
        """
        since = [at if at <= now else 0 for at, now in zip(self._merged, positions, strict=True)]
        changed = await asyncio.gather(
            *(tops.touched_since(at) for tops, at in zip(self._tops, since, strict=False))
        )
        return sorted({category for some in changed for category in some})

    async def _popular(self, categories: Sequence[str]) -> list[list[Popular]]:
        """Return the most popular items of categories."""
        by_shard = await asyncio.gather(*(tops.read(categories) for tops in self._tops))
        return [
            most_popular((one for top in some for one in top), self._top_n)
            for some in zip(*by_shard, strict=True)
        ]
