"""Agents. Publication: lists of a shard -> Redis keys and the output topic.

A list is replaced in Redis first, by a script that refuses an older one. What then stands in Redis
for the shard's position goes to the output topic, byte for byte, and only when the broker has it is
the list remembered as published.

A worker that loses the shard while lists are on their way may bring them to the topic behind newer
ones. So it looks, when the broker has them, whether somebody else has claimed the shard, and if so
sends what stands by then. The last record of a key is the key, and compaction keeps the right one.
"""

import asyncio
from collections.abc import Mapping
from secrets import token_hex

import numpy as np
from aiokafka.partitioner import DefaultPartitioner

from streamapp.agents.outside import Outside
from streamapp.core.arrays import Bools, Ints
from streamapp.core.listing import encode_item_lists
from streamapp.core.ranking import Ranking
from streamapp.core.shard import Shard
from streamapp.store.slot import Slot
from streamapp.transport.publisher import Outgoing

KIND = "item"


class Publication:
    """Publishes the lists of one shard, whose slot is `slot`."""

    def __init__(self, outside: Outside, slot: Slot) -> None:
        self._slot = slot
        self._owner = ""
        self._lists = outside.lists
        self._publisher = outside.publisher
        self._failpoints = outside.failpoints
        self._topic = outside.settings.lists_topic
        self._partitions: list[int] = []
        self._partition_of = DefaultPartitioner()

    async def open(self) -> None:
        """Claim the shard, and learn the partitions of the output topic."""
        self._owner = token_hex(8)
        await self._slot.claim(self._owner)
        self._partitions = list(range(await self._publisher.partitions(self._topic)))

    async def publish(self, shard: Shard, numbers: Ints, ranking: Ranking, chosen: Bools) -> None:
        """Publish the chosen lines of `ranking`, the lists of `numbers` as of now.

        What was published is remembered and no longer dirty. Where a later list stands already,
        the row stays dirty: this shard is catching up with it.
        """
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
        # What is on its way cannot be called back, so a worker that is told to drop the shard
        # still looks after it.
        await asyncio.shield(self._send(published))
        self._failpoints.reach("publication.lists-sent")
        done = np.flatnonzero([content is not None for content in standing])
        shard.remember(rows[done], some.only(done))
        shard.dirty[rows[done]] = False

    async def _send(self, lists: Mapping[str, bytes]) -> None:
        """Send lists; return when the topic does not end with an older one than its key."""
        owner = self._owner
        while lists:
            await self._publisher.deliver(self._messages(lists))
            if await self._slot.claimed_by(owner):
                return
            standing = await self._lists.standing(KIND, list(lists))
            lists = {
                name: now
                for (name, sent), now in zip(lists.items(), standing, strict=True)
                if now != sent
            }

    def _messages(self, lists: Mapping[str, bytes]) -> dict[tuple[str, int], list[Outgoing]]:
        messages: dict[tuple[str, int], list[Outgoing]] = {}
        for name, content in lists.items():
            key = f"{KIND}:{name}".encode()
            partition = self._partition_of(key, self._partitions, self._partitions)
            target = messages.setdefault((self._topic, partition), [])
            target.append(Outgoing(content or None, key))
        return messages
