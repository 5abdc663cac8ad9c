"""Sends every stored history to the shards as deltas, as if its ratings had just appeared.

Rows and norms are functions of the histories (ADR-0003). So the shards of the new state, which
begin empty, count what the old ones held.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import numpy as np
from redis.asyncio import Redis

from streamapp.agents.delivery.joint_deltas import joint_deltas
from streamapp.cli.from_histories.stored_histories import histories_slot, user_pages
from streamapp.core.arrays.array_types import Ints
from streamapp.core.histories.directed_revisions import directed_revisions
from streamapp.core.histories.history import Interactions, Revisions, revise
from streamapp.core.ids.registry import Registry
from streamapp.core.ids.role_registry import RoleRegistry, registry_of
from streamapp.core.messages.delta import Origin, encode_deltas
from streamapp.core.messages.popularity_increments import PopularityIncrements
from streamapp.pipelines import Pipeline
from streamapp.transport.producer import Outgoing, Producer

_FIRST_SENDER = -2
"""Partitions of interactions have numbers from 0 on, and -1 sends messages without a cause."""


class HistorySender:
    """Sends the histories of one pipeline.

    Every slot of histories is a sender of its own, because it has its own item numbers. Popularity
    comes from one more sender for each portion.

    Args:
        producer: Sends the deltas.
        pipeline: The pipeline.
        state_id: The id of the new state.
        before: Partitions of interactions in the old state.
        shards: Shards of the new state.

    Attributes:
        listed: The items of the histories that may have a list, by their public ids.
    """

    def __init__(
        self, producer: Producer, pipeline: Pipeline, state_id: str, before: int, shards: int
    ) -> None:
        self.listed: set[str] = set()
        self._producer = producer
        self._pipeline = pipeline
        self._state_id = state_id
        self._before = before
        self._shards = shards
        self._sent = [0] * before

    async def send_histories(self, redis: Redis) -> None:
        """Send all histories; return when the broker has them.

        Cost: one read of every history, and O(entries) for each shard that has an item of it.
        """
        prefix, kind = self._pipeline.state_prefix, self._pipeline.kind
        slots = [histories_slot(redis, prefix, number) for number in range(self._before)]
        registries = [await slot.item_ids.registry(registry_of(kind)) for slot in slots]
        async for number, users in user_pages(redis, prefix):
            if number >= self._before:
                continue
            blobs = await slots[number].blobs.read(users)
            histories = [blob.content for blob in blobs if blob and blob.content]
            if histories:
                await self._send(number, histories, registries[number])

    async def send_popularity(
        self, carried: AsyncIterator[tuple[Registry, PopularityIncrements]]
    ) -> None:
        """Send the popularity of items; return when the broker has it."""
        sender = _FIRST_SENDER - self._before
        async for registry, increments in carried:
            origin = Origin(self._state_id, sender, 0)
            nothing = _appeared([], registry, self._pipeline)
            await self._deliver(nothing, registry, origin, increments)
            sender -= 1

    async def _send(self, number: int, histories: Sequence[bytes], registry: Registry) -> None:
        revisions = _appeared(histories, registry, self._pipeline)
        self._note_listed(revisions.item, registry)
        if isinstance(registry, RoleRegistry):
            revisions = directed_revisions(revisions, registry)
        origin = Origin(self._state_id, _FIRST_SENDER - number, self._sent[number])
        self._sent[number] += 1
        await self._deliver(revisions, registry, origin)

    async def _deliver(
        self,
        revisions: Revisions,
        registry: Registry,
        origin: Origin,
        *increments: PopularityIncrements,
    ) -> None:
        messages: dict[tuple[str, int], list[Outgoing]] = {}
        for shard, value in encode_deltas(revisions, registry, self._shards, origin, *increments):
            target = self._pipeline.deltas_topic, shard
            messages.setdefault(target, []).append(Outgoing(value))
        await self._producer.deliver({to: joint_deltas(some) for to, some in messages.items()})

    def _note_listed(self, items: Ints, registry: Registry) -> None:
        numbers = np.unique(items)
        has_row = registry.shards(self._shards, numbers) >= 0
        public = registry.public_ids
        self.listed.update(public[number] for number in numbers[has_row].tolist())


def _appeared(histories: Sequence[bytes], registry: Registry, pipeline: Pipeline) -> Revisions:
    """Return revisions from nothing to these histories."""
    nothing = Interactions(
        np.zeros(len(histories) + 1, np.int64),
        np.zeros(0, np.int32),
        np.zeros(0, np.uint8),
        np.zeros(0),
        np.zeros(0),
    )
    stay = revise(histories, nothing, registry, pipeline.history_rule)
    return replace(stay, before=np.zeros_like(stay.after))
