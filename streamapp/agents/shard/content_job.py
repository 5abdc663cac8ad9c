"""ContentJob: the catalogue and the lists that stand -> content neighbours, to the shards.

The owner of the first shard looks which available products have no list from counts, computes what
is near them by text, and sends the shards what they do not hold. It keeps no account of what was
sent: the next look finds what is missing. A look that finds nothing is noted in the head, with what
it looked at, so that others know when there is nothing to wait for (ADR-0015).
"""

import asyncio
import time
from collections.abc import Mapping

from streamapp.agents.runtime.background import BackgroundTask
from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.throttle import DutyCycle
from streamapp.core.content.neighbours import (
    CONTENT_KEY,
    SOURCE,
    Match,
    Matches,
    decode_list,
    encode_list,
    encode_matches,
)
from streamapp.core.content.tfidf import Texts
from streamapp.core.events.catalogue_record import Product
from streamapp.core.ids.registry import shard_of
from streamapp.core.list_kinds import ITEM
from streamapp.core.lists.list_format import is_content
from streamapp.store.slot.head import CatalogueHead, ShardHead
from streamapp.store.slot.keys import SlotKeys, catalogue_tag, rows_tag
from streamapp.store.slot.manifest import partition_count
from streamapp.store.slot.slot import Slot
from streamapp.store.values.content import read_matches
from streamapp.store.values.products import read_products
from streamapp.store.versions import matched_text, read_heads
from streamapp.transport.producer import Outgoing

_AT_ONCE = 500
"""Lists that are read, or computed, before others get their turn."""

_SENT_AT_ONCE = 100
"""Likewise sent: so many of the longest lists, of the longest ids, fit into a message."""

_POLLS = 3
"""How often within the interval heads are asked."""

_PATIENCE = 10
"""Intervals after which it looks while shards publish all the time."""

_REST = 4
"""While shards publish, looking takes a fifth of the time at most."""

_AWAKE_S = 0.1


class ContentJob:
    """The content neighbours of all shards; the owner of the shard whose slot is `slot` sends them.

    A look goes on beside the lane, so that deltas need not wait for it.
    """

    def __init__(self, outside: StageContext, slot: Slot) -> None:
        self._outside = outside
        self._pipeline = outside.pipeline
        self._top_n = outside.settings.top_n
        self._lists = outside.lists
        self._slot = slot
        self._interval_s = outside.settings.refresh_interval
        self._pace = DutyCycle(self._interval_s, _REST)
        self._looking = BackgroundTask()
        self._owner = ""
        self._shards: list[str] = []
        self._catalogue: list[str] = []
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._seen = self._matched = ""
        self._awaited: dict[int, int] = {}
        self._read_at: list[CatalogueHead | None] = []
        self._products: dict[str, Product] = {}
        self._texts = Texts({})
        self._nearest: dict[str, bytes] = {}
        self._due_at = self._looked_at = time.monotonic()

    async def open(self, owner: str, shards: int) -> None:
        """Begin anew, for who has claimed the slot as `owner`."""
        await self.close()
        self._begin_anew()
        redis, pipeline = self._outside.redis, self._pipeline
        self._owner, prefix = owner, pipeline.state_prefix
        partitions = await partition_count(redis, prefix, pipeline.catalogue_topic)
        self._shards = [SlotKeys(prefix, rows_tag(number)).head for number in range(shards)]
        self._catalogue = [
            SlotKeys(prefix, catalogue_tag(number)).head for number in range(partitions)
        ]

    async def step(self, *, busy: bool) -> float:
        """Begin to look if it is time; return the seconds until the next step.

        Args:
            busy: Whether deltas wait; then it is not.

        Raises:
            ClaimLostError: another worker has claimed the shard.
        """
        self._looking.ended()
        wait_s = self._due_at - time.monotonic()
        if not self._looking.under_way and wait_s <= 0 and not busy:
            self._looking.begin(self._look())
        return max(wait_s, _AWAKE_S)

    async def close(self) -> None:
        """Stop looking; whoever opens next looks again."""
        await self._looking.close()

    async def _look(self) -> None:
        """Send what is missing if there is time for it, or note that nothing is."""
        redis = self._outside.redis
        catalogue = await read_heads(redis, self._catalogue, CatalogueHead)
        shards = await read_heads(redis, self._shards, ShardHead, "published", source=SOURCE)
        text = matched_text(catalogue, shards)
        at_rest, self._seen = text == self._seen, text
        heard = [head.applied_offsets.get(SOURCE, 0) if head else 0 for head in shards]
        if text != self._matched and self._may_look(heard, at_rest=at_rest):
            with self._pace.measured():
                missing = await self._missing(catalogue)
                if missing:
                    await self._send(missing)
                else:
                    await self._slot.set_field(self._owner, ShardHead, "content_version", text)
                    self._matched = text
            self._looked_at = time.monotonic()
        self._due_at = time.monotonic() + self._interval_s / _POLLS

    def _may_look(self, heard: list[int], *, at_rest: bool) -> bool:
        """Say whether shards have stored what was sent last, and there is time for more.

        Where they have not, it would only be sent again.
        """
        if any(heard[shard] < version for shard, version in self._awaited.items()):
            return False
        patient = time.monotonic() < self._looked_at + _PATIENCE * self._interval_s
        return self._pace.due_in_s(busy=not at_rest) <= 0 and (at_rest or not patient)

    async def _missing(self, catalogue: list[CatalogueHead | None]) -> dict[str, bytes]:
        """Return the lists that shards do not hold as they should, by item; b"" is none."""
        redis, prefix = self._outside.redis, self._pipeline.state_prefix
        if catalogue != self._read_at:
            products = await read_products(redis, prefix, len(self._catalogue))
            if products != self._products:
                texts = await asyncio.to_thread(Texts, products)
                self._products, self._texts, self._nearest = products, texts, {}
            self._read_at = catalogue
        wanted = await self._wanted()
        held = await read_matches(redis, prefix, len(self._shards))
        return {
            item: wanted.get(item, b"")
            for item in sorted(wanted.keys() | held.keys())
            if wanted.get(item, b"") != held.get(item, b"")
        }

    async def _wanted(self) -> dict[str, bytes]:
        """Return the list of every available product that has none from counts, packed."""
        available = [item for item, product in self._products.items() if product.available]
        wanted: dict[str, bytes] = {}
        for start in range(0, len(available), _AT_ONCE):
            items = available[start : start + _AT_ONCE]
            standing = await self._lists.standing(ITEM, items)
            new = [
                item
                for item, content in zip(items, standing, strict=True)
                if not content or is_content(content)
            ]
            await self._compute([item for item in new if item not in self._nearest])
            wanted |= {item: self._nearest[item] for item in new}
        return wanted

    async def _compute(self, items: list[str]) -> None:
        if items:
            found = await asyncio.to_thread(self._texts.nearest, items, self._top_n)
            self._nearest |= zip(items, map(encode_list, found), strict=True)

    async def _send(self, missing: Mapping[str, bytes]) -> None:
        """Send lists to the shards of their items."""
        version = await self._slot.tick(self._owner)
        topic, lists = self._pipeline.deltas_topic, list(missing.items())
        for start in range(0, len(lists), _SENT_AT_ONCE):
            by_shard: dict[int, list[tuple[str, list[Match]]]] = {}
            for item, packed in lists[start : start + _SENT_AT_ONCE]:
                some = by_shard.setdefault(shard_of(item, len(self._shards)), [])
                some.append((item, decode_list(packed) if packed else []))
            messages = {
                (topic, shard): [Outgoing(self._message(version, some), CONTENT_KEY)]
                for shard, some in by_shard.items()
            }
            await self._outside.publisher.deliver(messages)
            self._awaited |= dict.fromkeys(by_shard, version)
        self._outside.failpoints.reach("content.lists-sent")

    def _message(self, version: int, some: list[tuple[str, list[Match]]]) -> bytes:
        return encode_matches(Matches(self._slot.generation, version, some))
