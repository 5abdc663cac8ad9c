"""ItemListPublisher: lists of a shard -> Redis keys and the output topic.

A list is replaced in Redis first, by a script that refuses an older one. What then stands in Redis
for the shard's position goes to the output topic, byte for byte, while the shard goes on. Until the
broker has it, its row is pending for whoever takes over, and the next lists wait.
"""

import time

import numpy as np

from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.list_sender import ListSender
from streamapp.core.arrays.dtypes import Bools, Floats, Ints
from streamapp.core.lists.list_format import encode_item_lists
from streamapp.core.lists.ranking import Ranking
from streamapp.core.shard.shard import Shard
from streamapp.store.slot.slot import Slot


class ItemListPublisher:
    """Publishes the lists of one shard, whose slot is `slot`.

    Attributes:
        published: How many lists of the shard were ever replaced.
    """

    def __init__(self, outside: StageContext, slot: Slot) -> None:
        self._delivery = ListSender(outside, slot, outside.pipeline.kind, "publication.lists-sent")
        self._kind = outside.pipeline.kind
        self._lists = outside.lists
        self._failpoints = outside.failpoints
        self._interval_s = outside.settings.publish_interval
        self._published_at: Floats = np.zeros(0)
        self._rows: Ints = np.zeros(0, np.int32)
        self.published = 0

    @property
    def owner(self) -> str:
        """What the shard was claimed with."""
        return self._delivery.owner

    async def open(self, shard: Shard, published: int) -> None:
        """Claim the shard; `published` lists of it were replaced before."""
        await self.settle()
        await self._delivery.open()
        self.published = published
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
    def under_way(self) -> bool:
        """Whether lists are being sent, so that `publish` would wait."""
        return self._delivery.under_way

    @property
    def arrived(self) -> bool:
        """Whether the sending of lists has ended, and `settle` has not been told."""
        return self._delivery.arrived

    async def settle(self) -> None:
        """Return when the topic has all that was published; raise what went wrong with it."""
        await self._delivery.settle()
        self._rows = np.zeros(0, np.int32)

    async def publish(self, shard: Shard, numbers: Ints, ranking: Ranking, chosen: Bools) -> None:
        """Replace the chosen lines of `ranking`, the lists of `numbers` as of now, and send them.

        What was replaced is remembered, on its way, and no longer dirty. Where a later list stands
        already, the row stays dirty: this shard is catching up with it.
        """
        await self.settle()
        lines = np.flatnonzero(chosen)
        some, rows = ranking.only(lines), numbers[lines]
        lists = encode_item_lists(
            rows, some, shard.position, shard.rows.as_of, shard.registry, self._kind
        )
        standing = await self._lists.replace(self._kind, lists, shard.position)
        self._failpoints.reach("publication.lists-replaced")
        published = {
            name: content
            for (name, _), content in zip(lists, standing, strict=True)
            if content is not None
        }
        done = np.flatnonzero([content is not None for content in standing])
        shard.lists.acknowledge(rows[done], some.only(done))
        self._times(rows)[rows] = time.monotonic()
        self._rows = rows[done]
        self.published += len(done)
        self._delivery.send(published)

    def _times(self, numbers: Ints) -> Floats:
        """Return when each row was published, with room for `numbers`; never is minus infinity."""
        known, needed = len(self._published_at), int(numbers.max(initial=-1)) + 1
        if needed > known:
            room = np.full(2 * needed - known, -np.inf)
            self._published_at = np.concatenate((self._published_at, room))
        return self._published_at
