"""Agents. Trending: the most popular items of every shard -> one list.

Each shard stores its own most popular items with its checkpoints; the owner of the first shard
merges them. The popularity of all items fades alike, so the list only changes with events.
"""

import math
import time
from typing import Any

import msgspec

from streamapp.agents.delivery import Delivery
from streamapp.agents.outside import Outside
from streamapp.core.listing import TRENDING, encode_trending
from streamapp.core.popularity import Popular, most_popular
from streamapp.store.keys import SlotKeys, rows_tag
from streamapp.store.progress import positions_text, read_heads
from streamapp.store.slot import Slot

KIND = TRENDING

_decode = msgspec.msgpack.Decoder(list[tuple[str, float, int]]).decode


class Trending:
    """The list of what is trending; the owner of the shard whose slot is `slot` makes it."""

    def __init__(self, outside: Outside, slot: Slot) -> None:
        settings = outside.settings
        self._half_life_s = settings.trending_half_life
        self._top_n = settings.top_n
        self._interval_s = settings.publish_interval
        self._prefix = settings.state_prefix
        self._redis = outside.redis
        self._lists = outside.lists
        self._failpoints = outside.failpoints
        self._slot = slot
        self._delivery = Delivery(outside, slot, KIND, "trending.sent")
        self._heads: list[str] = []
        self._merged: list[Any] = []
        self._standing: tuple[list[Popular], float] | None = None
        self._on_the_way = ""
        self._due_at = 0.0

    async def open(self, owner: str, shards: int) -> None:
        """Begin anew; the list is published in any case, for the topic may not have it."""
        await self._delivery.open(owner)
        self._heads = [SlotKeys(self._prefix, rows_tag(shard)).head for shard in range(shards)]
        self._merged, self._standing = [], None
        self._on_the_way, self._due_at = "", 0.0

    async def step(self) -> float:
        """Publish the list if it changed; return the seconds until the next look.

        Raises:
            ClaimLostError: another worker has claimed the shard.
        """
        if self._delivery.arrived:
            await self.settle()
        if (wait_s := self._due_at - time.monotonic()) > 0:
            return wait_s
        if not self._on_the_way and await self._read() != self._merged:
            await self._merge()
        self._due_at = time.monotonic() + self._interval_s
        return self._interval_s

    async def finish(self) -> None:
        """Publish what the shards have stored by now."""
        await self.settle()
        await self._merge()
        await self.settle()

    async def settle(self) -> None:
        """Return when the topic has the list, and the head says of which shards it is."""
        await self._delivery.settle()
        on_the_way, self._on_the_way = self._on_the_way, ""
        if on_the_way:
            await self._slot.note(self._delivery.owner, "merged", on_the_way)

    async def _read(self) -> list[Any]:
        """Return position, most popular items and newest event time of every shard."""
        return await read_heads(self._redis, self._heads, ["position", "popular", "popular_ts"])

    async def _merge(self) -> None:
        seq = await self._slot.tick(self._delivery.owner)
        found = await self._read()
        shown = self._shown(found)
        content, lists = encode_trending(*shown, seq, self._half_life_s), {}
        if shown != self._standing and (content or (await self._lists.standing(KIND, [""]))[0]):
            (standing,) = await self._lists.replace(KIND, [("", content)], seq)
            self._failpoints.reach("trending.replaced")
            if standing is None:
                return
            lists = {"": content}
        self._merged, self._standing = found, shown
        self._on_the_way = positions_text(position for position, _, _ in found)
        self._delivery.send(lists)

    def _shown(self, found: list[Any]) -> tuple[list[Popular], float]:
        """Return what the list shows, and its time; nothing where there is to be no list."""
        popular = [Popular(*one) for _, top, _ in found if top for one in _decode(top)]
        newest_ts = max((float(ts) for _, _, ts in found if ts), default=-math.inf)
        if not self._half_life_s:
            return [], newest_ts
        return most_popular(popular, self._top_n), newest_ts
