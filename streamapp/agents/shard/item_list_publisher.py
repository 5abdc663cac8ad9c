"""Publishes the lists of a shard in Redis and on the output topic.

A list is replaced in Redis first, by a script that refuses an older list. What Redis then holds for
the shard's position goes to the output topic, byte for byte, in the background. Until the broker
has it, the row counts as pending for the next owner, and the next lists wait.
"""

import time
from typing import Self

import numpy as np

from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.list_sender import ListSender
from streamapp.agents.runtime.slot_opening import claim_slot
from streamapp.core.arrays.array_types import Bools, Floats, Ints
from streamapp.core.lists.list_changes import decode_rankings
from streamapp.core.lists.list_format import encode_item_lists
from streamapp.core.lists.ranking import Ranking
from streamapp.core.shard.shard import Shard
from streamapp.store.slot.seq_base import read_seq_base
from streamapp.store.slot.slot import Slot


class ItemListPublisher:
    """Publishes the lists of one shard.

    Args:
        context: Settings and connections.
        sender: Sends lists to the topic, for the owner of the shard.
        published: How many lists of the shard were replaced so far.
        items: How many items the shard has.

    Attributes:
        sender: Its `in_flight` are the rows whose lists Redis has, and perhaps not yet the topic.
        published: How many lists of the shard were ever replaced.
    """

    def __init__(
        self, context: StageContext, sender: ListSender[Ints], published: int, items: int
    ) -> None:
        self.sender = sender
        self.published = published
        self._kind = context.pipeline.kind
        self._lists = context.lists
        self._failpoints = context.failpoints
        self._seq_base = 0
        self._interval_s = context.settings.publish_interval
        # The previous owner may have published any of them just now.
        self._published_at: Floats = np.full(items, time.monotonic())

    @classmethod
    async def open(cls, context: StageContext, slot: Slot, published: int, items: int) -> Self:
        """Claim the slot of a shard; return its publisher."""
        kind, owner = context.pipeline.kind, await claim_slot(slot)
        sender = await ListSender[Ints].open(context, slot, kind, owner, "publication.lists-sent")
        made = cls(context, sender, published, items)
        made._seq_base = await read_seq_base(slot)
        return made

    def due_in_s(self, numbers: Ints) -> Floats:
        """Return for each row the seconds until its list may change again; float64.

        A list changes at most once in `PUBLISH_INTERVAL`. A new list may change at once.
        """
        due: Floats = self._times(numbers)[numbers] + self._interval_s - time.monotonic()
        return due

    async def publish(self, shard: Shard, numbers: Ints, ranking: Ranking, chosen: Bools) -> None:
        """Replace some lists in Redis, and start to send them.

        The rows of replaced lists are remembered and no longer dirty. Where Redis holds a later
        list already, the row stays dirty, because this shard is catching up with that list.

        Args:
            shard: The shard.
            numbers: int32. Rows.
            ranking: Their lists as of now.
            chosen: bool. Which of them to publish.
        """
        await self.sender.join()
        seq = self._seq_base + shard.position
        lines = np.flatnonzero(chosen)
        some, rows = ranking.only(lines), numbers[lines]
        lists = encode_item_lists(rows, some, seq, shard.rows.as_of, shard.registry, self._kind)
        stored = await self._lists.replace(self._kind, lists, seq)
        self._failpoints.reach("publication.lists-replaced")
        replaced = {
            name: content
            for (name, _), content in zip(lists, stored, strict=True)
            if content is not None
        }
        done = np.flatnonzero([content is not None for content in stored])
        shard.lists.acknowledge(rows[done], some.only(done))
        self._times(rows)[rows] = time.monotonic()
        self.published += len(done)
        self.sender.send(replaced, seq, rows[done])

    async def recall(self, shard: Shard, numbers: Ints, ranking: Ranking) -> None:
        """Remember which lists the owner before published; those that cannot be read stay unknown.

        Args:
            shard: The shard.
            numbers: int32. Rows that did not change since that owner compared their lists, and
                whose lists are on the topic.
            ranking: Their lists as of now.
        """
        if not shard.lists.tolerance:
            shard.lists.acknowledge(numbers, ranking)
            return
        # The published scores may differ from those of now. If these were remembered instead, a
        # score could move by the tolerance with every owner.
        ids = shard.registry.public_ids
        names = [ids[number] for number in numbers.tolist()]
        contents = await self._lists.get_many(self._kind, names)
        held, published = decode_rankings(contents, shard.registry, shard.rule.top_n)
        lines = np.flatnonzero(held)
        shard.lists.acknowledge(numbers[lines], published.only(lines))

    def _times(self, numbers: Ints) -> Floats:
        """Return when each row was published, extended to `numbers`; never is minus infinity."""
        known, needed = len(self._published_at), int(numbers.max(initial=-1)) + 1
        if needed > known:
            more = np.full(2 * needed - known, -np.inf)
            self._published_at = np.concatenate((self._published_at, more))
        return self._published_at
