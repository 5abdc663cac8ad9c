"""Finds content neighbours for products that have no list from counts, and sends them to shards.

The owner of the first shard compares the catalogue with the published lists, computes the nearest
products by text, and sends each shard what the shard lacks. The job keeps no record of what it
sent: the next pass finds what is missing. A pass that finds nothing stores the version of its
inputs in the head, so that others know there is nothing to wait for (ADR-0015).
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Self

from streamapp.agents.polling.poll import Poll
from streamapp.agents.runtime.background import BackgroundTask
from streamapp.agents.runtime.context import StageContext
from streamapp.agents.scheduling.duty_cycle import DutyCycle
from streamapp.agents.scheduling.input_debounce import InputDebounce
from streamapp.core.content.tfidf import Texts
from streamapp.core.events.catalogue_record import Product
from streamapp.core.ids.registry import shard_of
from streamapp.core.list_kinds import ITEM
from streamapp.core.lists.list_format import is_content
from streamapp.core.messages.content_neighbours import (
    CONTENT_KEY,
    CONTENT_SOURCE,
    ContentNeighbour,
    ContentNeighbours,
    encode_content_neighbours,
    pack_list,
    unpack_list,
)
from streamapp.store.input_versions import matched_text
from streamapp.store.slot.head import CatalogueHead, ShardHead
from streamapp.store.slot.head_reader import read_heads
from streamapp.store.slot.keys import SlotKeys, catalogue_tag, rows_tag
from streamapp.store.slot.slot import Slot
from streamapp.store.state_layout import partition_count
from streamapp.store.values.content import read_matches
from streamapp.store.values.product_reader import read_products
from streamapp.transport.producer import Outgoing

_AT_ONCE = 500
"""Lists that are read, or computed, before other tasks get their turn."""

_SENT_AT_ONCE = 100
"""Lists in one message: this many of the longest lists, with the longest ids, fit."""

_REST = 4
"""While shards publish, passes take a fifth of the time at most."""

_POLL_S = 0.1


class ContentJob:
    """The content neighbours of all shards, for the owner of the first shard.

    A pass runs in the background, so deltas do not wait for it.

    Args:
        context: Settings and connections.
        slot: The slot of the first shard.
        owner: The token with which the slot was claimed.
        shards: How many shards there are.
        catalogue: How many partitions the catalogue has.
    """

    def __init__(
        self, context: StageContext, slot: Slot, owner: str, shards: int, catalogue: int
    ) -> None:
        self._context = context
        self._pipeline = context.pipeline
        self._top_n = context.settings.top_n
        self._lists = context.lists
        self._slot = slot
        self._owner = owner
        prefix, interval_s = context.pipeline.state_prefix, context.settings.refresh_interval
        self._shards = [SlotKeys(prefix, rows_tag(number)).head for number in range(shards)]
        self._catalogue = [
            SlotKeys(prefix, catalogue_tag(number)).head for number in range(catalogue)
        ]
        self._debounce = InputDebounce(interval_s, time.monotonic())
        self._cycle = DutyCycle(interval_s, _REST)
        self._poll = Poll(context.heads, self._debounce.poll_s, self._debounce.idle_poll_s)
        self._passing = BackgroundTask[None]()
        self._awaited: dict[int, int] = {}
        self._read_at: list[CatalogueHead | None] = []
        self._products: dict[str, Product] = {}
        self._texts = Texts({})
        self._nearest: dict[str, bytes] = {}

    @classmethod
    async def open(cls, context: StageContext, slot: Slot, owner: str, shards: int) -> Self:
        """Return the job of a new owner."""
        prefix, topic = context.pipeline.state_prefix, context.pipeline.catalogue_topic
        catalogue = await partition_count(context.redis, prefix, topic)
        return cls(context, slot, owner, shards, catalogue)

    async def step(self, *, busy: bool) -> float:
        """Start a pass if it is time; return the seconds until the next step.

        Args:
            busy: Whether deltas wait; then no pass starts.

        Raises:
            ClaimLostError: another worker has claimed the shard.
        """
        if self._passing.is_done:
            await self._passing.join()
        due_in_s = self._poll.due_in_s
        if not self._passing.is_running and due_in_s <= 0 and not busy:
            self._passing.start(self._pass())
        return max(due_in_s, _POLL_S)

    async def cancel(self) -> None:
        """Stop a pass that runs; the next owner makes another one."""
        await self._passing.cancel()

    async def _pass(self) -> None:
        """Send missing neighbours, or store that none are missing; do neither if it is too soon."""
        self._poll.begin()
        catalogue = await read_heads(self._context.redis, self._catalogue, CatalogueHead)
        shards = await self._context.heads.read(self._shards, "published", source=CONTENT_SOURCE)
        applied = [head.applied_offsets.get(CONTENT_SOURCE, 0) if head else 0 for head in shards]
        version = matched_text(catalogue, shards)
        ready = self._debounce.ready(version, time.monotonic())
        if ready and self._has_time() and self._arrived(applied):
            with self._cycle.measured():
                missing = await self._missing(catalogue)
                if missing:
                    await self._send(missing)
                else:
                    await self._slot.ownership.set_field(
                        self._owner, ShardHead, "content_version", version
                    )
                    self._debounce.finish(version)
            self._debounce.ran(time.monotonic())
        self._poll.end(idle=self._debounce.is_finished(version))

    def _has_time(self) -> bool:
        return self._cycle.due_in_s(busy=not self._debounce.is_idle) <= 0

    def _arrived(self, applied: list[int]) -> bool:
        """Return whether shards have stored the last message; if not, it would be sent again.

        Args:
            applied: The version of content neighbours that each shard has stored.
        """
        return all(applied[shard] >= version for shard, version in self._awaited.items())

    async def _missing(self, catalogue: list[CatalogueHead | None]) -> dict[str, bytes]:
        """Return the lists that shards lack or should drop, by item; b"" for none."""
        redis, prefix = self._context.redis, self._pipeline.state_prefix
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
        """Return, packed, the list of every available product that has no list from counts."""
        available = [item for item, product in self._products.items() if product.available]
        wanted: dict[str, bytes] = {}
        for start in range(0, len(available), _AT_ONCE):
            items = available[start : start + _AT_ONCE]
            published = await self._lists.get_many(ITEM, items)
            new = [
                item
                for item, content in zip(items, published, strict=True)
                if not content or is_content(content)
            ]
            await self._compute([item for item in new if item not in self._nearest])
            wanted |= {item: self._nearest[item] for item in new}
        return wanted

    async def _compute(self, items: list[str]) -> None:
        if items:
            found = await asyncio.to_thread(self._texts.nearest, items, self._top_n)
            self._nearest |= zip(items, map(pack_list, found), strict=True)

    async def _send(self, missing: Mapping[str, bytes]) -> None:
        """Send lists to the shards of their items."""
        version = await self._slot.ownership.next_timestamp(self._owner)
        topic, lists = self._pipeline.deltas_topic, list(missing.items())
        for start in range(0, len(lists), _SENT_AT_ONCE):
            by_shard: dict[int, list[tuple[str, list[ContentNeighbour]]]] = {}
            for item, packed in lists[start : start + _SENT_AT_ONCE]:
                some = by_shard.setdefault(shard_of(item, len(self._shards)), [])
                some.append((item, unpack_list(packed) if packed else []))
            messages = {
                (topic, shard): [Outgoing(self._message(version, some), CONTENT_KEY)]
                for shard, some in by_shard.items()
            }
            await self._context.producer.deliver(messages)
            self._awaited |= dict.fromkeys(by_shard, version)
        self._context.failpoints.reach("content.lists-sent")

    def _message(self, version: int, some: list[tuple[str, list[ContentNeighbour]]]) -> bytes:
        return encode_content_neighbours(ContentNeighbours(self._slot.state_id, version, some))
