"""Agents. Publication: lists of a shard -> Redis keys and the output topic.

A list is replaced in Redis first, by a script that refuses an older one. What then stands in Redis
for the shard's position goes to the output topic, byte for byte, and only when the broker has it is
the list remembered as published.
"""

from collections.abc import Sequence

import numpy as np
from aiokafka.partitioner import DefaultPartitioner

from streamapp.agents.outside import Outside
from streamapp.core.arrays import Bools, Ints
from streamapp.core.listing import encode_item_lists
from streamapp.core.ranking import Ranking
from streamapp.core.shard import Shard
from streamapp.transport.publisher import Outgoing

KIND = "item"


class Publication:
    """Publishes the lists of one shard."""

    def __init__(self, outside: Outside) -> None:
        self._lists = outside.lists
        self._publisher = outside.publisher
        self._failpoints = outside.failpoints
        self._topic = outside.settings.lists_topic
        self._partitions: list[int] = []
        self._partition_of = DefaultPartitioner()

    async def open(self) -> None:
        """Learn the partitions of the output topic."""
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
        await self._publisher.deliver(self._messages(lists, standing))
        self._failpoints.reach("publication.lists-sent")
        done = np.flatnonzero([content is not None for content in standing])
        shard.remember(rows[done], some.only(done))
        shard.dirty[rows[done]] = False

    def _messages(
        self, lists: Sequence[tuple[str, bytes]], standing: Sequence[bytes | None]
    ) -> dict[tuple[str, int], list[Outgoing]]:
        messages: dict[tuple[str, int], list[Outgoing]] = {}
        for (name, _), content in zip(lists, standing, strict=True):
            if content is not None:
                key = f"{KIND}:{name}".encode()
                partition = self._partition_of(key, self._partitions, self._partitions)
                target = messages.setdefault((self._topic, partition), [])
                target.append(Outgoing(content or None, key))
        return messages
