"""Agents. Publication: lists of a shard -> Redis keys and the output topic.

A list is replaced in Redis first, by a script that refuses an older one. What then stands in Redis
for the shard's position goes to the output topic, byte for byte, while the shard goes on. Until the
broker has it, its row is pending for whoever takes over, and the next lists wait.

A worker that loses the shard while lists are on their way may bring them to the topic behind newer
ones. So it looks, when the broker has them, whether somebody else has claimed the shard, and if so
sends what stands by then. The last record of a key is the key, and compaction keeps the right one.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from secrets import token_hex

import numpy as np
from aiokafka.partitioner import DefaultPartitioner

from streamapp.agents.outside import Outside
from streamapp.core.arrays import Bools, Floats, Ints
from streamapp.core.listing import encode_item_lists
from streamapp.core.ranking import Ranking
from streamapp.core.shard import Shard
from streamapp.store.slot import Slot
from streamapp.transport.publisher import Outgoing

KIND = "item"

_KEYS_REMEMBERED = 50_000
"""Hashing a key takes longer than all else that is done with its message."""


class Publication:
    """Publishes the lists of one shard, whose slot is `slot`."""

    def __init__(self, outside: Outside, slot: Slot) -> None:
        self._slot = slot
        self._owner = ""
        self._lists = outside.lists
        self._publisher = outside.publisher
        self._failpoints = outside.failpoints
        self._topic = outside.settings.lists_topic
        self._interval_s = outside.settings.publish_interval
        self._partition_of = _partitioner(0)
        self._published_at: Floats = np.zeros(0)
        self._rows: Ints = np.zeros(0, np.int32)
        self._sending: asyncio.Task[None] | None = None

    async def open(self, shard: Shard) -> None:
        """Claim the shard, and learn the partitions of the output topic."""
        await self.settle()
        self._owner = token_hex(8)
        await self._slot.claim(self._owner)
        self._partition_of = _partitioner(await self._publisher.partitions(self._topic))
        # The owner before may have published any of them just now.
        self._published_at = np.full(len(shard.registry), time.monotonic())

    def due_in_s(self, numbers: Ints) -> Floats:
        """Return for each row the seconds until its list may change again; float64.

        A list changes at most once in `PUBLISH_INTERVAL`; one that was never published may at once.
        """
        due: Floats = self._times(numbers)[numbers] + self._interval_s - time.monotonic()
        return due

    @property
    def on_the_way(self) -> Ints:
        """The rows whose lists stand in Redis, and perhaps not yet on the topic."""
        return self._rows

    @property
    def arrived(self) -> bool:
        """Whether the sending of lists has ended, and `settle` has not been told."""
        return self._sending is not None and self._sending.done()

    async def settle(self) -> None:
        """Return when the topic has all that was published; raise what went wrong with it."""
        if self._sending is not None:
            # What is on its way cannot be called back, so a worker that is told to drop the shard
            # still looks after it.
            await asyncio.shield(self._sending)
            self._sending, self._rows = None, np.zeros(0, np.int32)

    async def publish(self, shard: Shard, numbers: Ints, ranking: Ranking, chosen: Bools) -> None:
        """Replace the chosen lines of `ranking`, the lists of `numbers` as of now, and send them.

        What was replaced is remembered, on its way, and no longer dirty. Where a later list stands
        already, the row stays dirty: this shard is catching up with it.
        """
        await self.settle()
        lines = np.flatnonzero(chosen)
        some, rows = ranking.only(lines), numbers[lines]
        lists = list(
            encode_item_lists(rows.tolist(), some, shard.position, shard.rows.as_of, shard.registry)
        )
        standing = await self._lists.replace(KIND, lists, shard.position)
        self._failpoints.reach("publication.lists-replaced")
        published = {
            name: content
            for (name, _), content in zip(lists, standing, strict=True)
            if content is not None
        }
        done = np.flatnonzero([content is not None for content in standing])
        shard.remember(rows[done], some.only(done))
        shard.dirty[rows[done]] = False
        self._times(rows)[rows] = time.monotonic()
        self._rows = rows[done]
        self._sending = asyncio.create_task(self._send(published))

    async def _send(self, lists: Mapping[str, bytes]) -> None:
        """Send lists; return when the topic does not end with an older one than its key."""
        owner = self._owner
        while lists:
            await self._publisher.deliver(self._messages(lists))
            if await self._slot.claimed_by(owner):
                break
            standing = await self._lists.standing(KIND, list(lists))
            lists = {
                name: now
                for (name, sent), now in zip(lists.items(), standing, strict=True)
                if now != sent
            }
        self._failpoints.reach("publication.lists-sent")

    def _messages(self, lists: Mapping[str, bytes]) -> dict[tuple[str, int], list[Outgoing]]:
        messages: dict[tuple[str, int], list[Outgoing]] = {}
        for name, content in lists.items():
            key = f"{KIND}:{name}".encode()
            target = messages.setdefault((self._topic, self._partition_of(key)), [])
            target.append(Outgoing(content or None, key))
        return messages

    def _times(self, numbers: Ints) -> Floats:
        """Return when each row was published, with room for `numbers`; never is minus infinity."""
        known, needed = len(self._published_at), int(numbers.max(initial=-1)) + 1
        if needed > known:
            room = np.full(2 * needed - known, -np.inf)
            self._published_at = np.concatenate((self._published_at, room))
        return self._published_at


def _partitioner(count: int) -> Callable[[bytes], int]:
    """Return what says in which of `count` partitions a key belongs, as Kafka's own clients do."""
    partitions, partition_of = list(range(count)), DefaultPartitioner()

    @lru_cache(_KEYS_REMEMBERED)
    def partition(key: bytes) -> int:
        return int(partition_of(key, partitions, partitions))

    return partition
