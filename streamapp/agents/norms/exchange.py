"""Reads the norms that shards share, for all shards of one pipeline that a worker owns."""

import asyncio
from collections.abc import Callable

from streamapp.agents.polling.poll import Poll
from streamapp.agents.runtime.background import POLL_S, BackgroundTask
from streamapp.agents.runtime.context import StageContext
from streamapp.agents.scheduling.due_time import NEVER
from streamapp.core.counts.norm_table import NormTable
from streamapp.core.ids.received_items import ReceivedItems
from streamapp.core.messages.norm_segment import NormSegment, decode_segments
from streamapp.store.slot.head import ShardHead
from streamapp.store.slot.head_reader import read_heads
from streamapp.store.slot.keys import SlotKeys, rows_tag
from streamapp.store.slot.slot import Slot
from streamapp.store.values.norm_feed import FeedMark, read_feed

_POLLS = 3
"""How often within a refresh interval the feeds of other workers are read."""

_FIELDS = "norm_feed", "norm_feed_bytes", "norms_shared"
"""The attributes of a head that say what its shard has shared."""


class NormExchange:
    """The norm table of a worker, and the feeds behind it.

    Shards of this worker add to the table when they have stored what they share. The feeds of the
    other shards are read in the background.

    Args:
        context: Settings and connections.

    Attributes:
        received: The items that deltas for the shards of this worker named.
    """

    def __init__(self, context: StageContext) -> None:
        self.received = ReceivedItems()
        interval_s = context.settings.refresh_interval / _POLLS
        self._redis = context.redis
        self._heads = context.heads
        self._prefix = context.pipeline.state_prefix
        self._table: NormTable | None = None
        self._state_id = ""
        self._marks: list[FeedMark] = []
        self._opening = asyncio.Lock()
        self._reading = BackgroundTask[None]()
        self._reading.on_end = self._wake
        self._owners: dict[int, Callable[[], None]] = {}
        self._poll = Poll(context.heads, interval_s, interval_s)

    async def open(self, shard: int, shards: int, state_id: str) -> NormTable:
        """Return the table, with all that a shard has shared, for its new owner.

        Args:
            shard: The shard. Once it is connected, its feed is not read until it is released.
            shards: How many shards there are.
            state_id: Of the state; the norms of another one mean nothing in it.
        """
        async with self._opening:
            await self._reading.join()
            if self._table is None or state_id != self._state_id:
                self._table, self._marks = NormTable(shards), [FeedMark()] * shards
                self._state_id, self.received = state_id, ReceivedItems()
            await self._read(self._table, [shard], alone=True)
        return self._table

    def connect(self, shard: int, wake: Callable[[], None]) -> None:
        """Call the owner of a shard from here on, each time that feeds have been read.

        From here on this worker owns the shard. A shard whose opening fails is never connected.
        """
        self._owners[shard] = wake

    def release(self, shard: int) -> None:
        """Read the feed of a shard again; this worker no longer owns it."""
        self._owners.pop(shard, None)

    def shared(self, shard: int) -> NormSegment:
        """Return all norms that a shard has shared."""
        table = self._opened
        numbers = table.of_shard(shard)
        ids = [table.registry.ids[number] for number in numbers.tolist()]
        return NormSegment(ids, table.position[numbers], table.values(numbers))

    def share(self, shard: int, mark: FeedMark, changed: NormSegment) -> None:
        """Take in norms that a shard of this worker has shared.

        Args:
            shard: The shard.
            mark: Its feed, as its head has it now.
            changed: The norms that are new.
        """
        self._opened.update(shard, *changed, mark.shared_at)
        self._marks[shard] = mark

    async def step(self) -> float:
        """Read feeds of other workers if it is time; return the seconds until the next step.

        A step that does not know them yet returns `NEVER`: the end of the read calls for another.
        """
        if self._opening.locked():
            return POLL_S
        if self._reading.is_running:
            return NEVER
        await self._reading.join()
        others = [number for number in range(len(self._marks)) if number not in self._owners]
        if not others:
            return NEVER
        if self._poll.due_in_s <= 0:
            self._reading.start(self._read_others(self._opened, others))
            return NEVER
        return self._poll.due_in_s

    @property
    def _opened(self) -> NormTable:
        if self._table is None:
            raise RuntimeError("the norm exchange is not open")
        return self._table

    def _wake(self) -> None:
        for wake in list(self._owners.values()):
            wake()

    async def _read_others(self, table: NormTable, shards: list[int]) -> None:
        self._poll.begin()
        await self._read(table, shards, alone=False)
        self._poll.end(idle=True)

    async def _read(self, table: NormTable, shards: list[int], *, alone: bool) -> None:
        """Bring the table up to the feeds of some shards.

        Args:
            table: The table.
            shards: The shards.
            alone: Whether not to wait for other jobs that read heads.
        """
        while shards:
            keys = [self._keys(shard).head for shard in shards]
            if alone:
                heads = await read_heads(self._redis, keys, ShardHead, *_FIELDS)
            else:
                heads = await self._heads.read(keys, *_FIELDS)
            marks = [FeedMark.of(head) for head in heads]
            shards = [
                shard
                for shard, mark in zip(shards, marks, strict=True)
                if not await self._catch_up(table, shard, mark)
            ]

    async def _catch_up(self, table: NormTable, shard: int, mark: FeedMark) -> bool:
        """Read what is new in a feed; say whether it is still the current one."""
        known = self._marks[shard]
        same = mark.token == known.token
        # A feed that became shorter belongs to a Redis that went back in time. Its owner will
        # notice, and begin another feed.
        if same and mark.bytes <= known.bytes:
            return True
        start = known.bytes if same else 0
        feed = await read_feed(self._redis, self._keys(shard), mark, start)
        head = await Slot(self._redis, self._keys(shard)).head(ShardHead)
        if len(feed) < mark.bytes - start or FeedMark.of(head).token != mark.token:
            return False
        for segment in decode_segments(feed):
            table.update(shard, *segment, mark.shared_at)
        self._marks[shard] = mark
        return True

    def _keys(self, shard: int) -> SlotKeys:
        return SlotKeys(self._prefix, rows_tag(shard))
