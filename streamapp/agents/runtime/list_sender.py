"""Sends lists that are stored in Redis to the output topic.

A worker may lose a partition while its lists are in flight. They may then reach the topic behind
newer lists of the next owner. So the sender asks, once the broker has the lists, whether another
worker has claimed the slot since. In that case it sends the current lists in Redis again. The last
record of a key therefore equals the key in Redis, and compaction keeps that record.

Each record has its `seq` as a header too, because a record without a value has it nowhere else.
"""

from collections.abc import Mapping
from typing import Self, TypeVar

from streamapp.agents.runtime.background import BackgroundTask
from streamapp.agents.runtime.context import StageContext
from streamapp.core.ids.partitioner import partitions_of
from streamapp.core.lists.list_seq import seq_headers
from streamapp.store.slot.keys import list_name
from streamapp.store.slot.slot import Slot
from streamapp.transport.producer import Outgoing

P = TypeVar("P")


class ListSender(BackgroundTask[P]):
    """Sends lists of one kind, one batch at a time, for the owner of a slot.

    A batch in flight cannot be called back, so a sender is joined and never cancelled.

    Attributes:
        owner: The token with which the slot was claimed.
        in_flight: The `about` of the batch that is not joined yet; None without one.
    """

    def __init__(
        self, context: StageContext, slot: Slot, kind: str, owner: str, failpoint: str, count: int
    ) -> None:
        super().__init__()
        self.owner = owner
        self.in_flight: P | None = None
        self._kind = kind
        self._slot = slot
        self._lists = context.lists
        self._delivery = context.list_delivery
        self._failpoints = context.failpoints
        self._failpoint = failpoint
        self._topic = context.settings.lists_topic
        self._partitions = count

    @classmethod
    async def open(
        cls, context: StageContext, slot: Slot, kind: str, owner: str, failpoint: str
    ) -> Self:
        """Return a sender for the owner of a slot.

        Args:
            context: Settings and connections.
            slot: The slot whose owner makes the lists.
            kind: The kind of the lists.
            owner: The token with which the slot was claimed.
            failpoint: The failpoint that is reached when the broker has a batch.
        """
        count = await context.producer.partitions(context.settings.lists_topic)
        return cls(context, slot, kind, owner, failpoint, count)

    def send(self, lists: Mapping[str, bytes], seq: int, about: P) -> None:
        """Start to send a batch; the previous one was joined.

        Args:
            lists: The values in Redis, by name; b"" for a missing one.
            seq: The `seq` of all of them.
            about: Returned by `join` when the topic has the lists.
        """
        self.in_flight = about
        self.start(self._send({name: (content, seq) for name, content in lists.items()}, about))

    async def join(self) -> P | None:
        """Wait until the topic has the batch; return its `about`, or raise its error."""
        about = await super().join()
        self.in_flight = None
        return about

    async def _send(self, lists: Mapping[str, tuple[bytes, int]], about: P) -> P:
        """Send lists until the topic does not end with an older list than its key in Redis.

        Args:
            lists: Content and `seq`, by name.
            about: Returned when the topic has them.
        """
        while lists:
            await self._delivery.deliver(self._messages(lists))
            if await self._slot.ownership.is_owner(self.owner):
                break
            stored = await self._lists.get_versions(self._kind, list(lists))
            # A list that expired left no tombstone: its record counts as late as the one before it.
            lists = {
                name: (now, max(seq, before) if not now else seq)
                for (name, (sent, before)), (now, seq) in zip(lists.items(), stored, strict=True)
                if now != sent
            }
        self._failpoints.reach(self._failpoint)
        return about

    def _messages(
        self, lists: Mapping[str, tuple[bytes, int]]
    ) -> dict[tuple[str, int], list[Outgoing]]:
        messages: dict[tuple[str, int], list[Outgoing]] = {}
        keys = [list_name(self._kind, name).encode() for name in lists]
        targets = partitions_of(keys, self._partitions)
        for key, partition, (content, seq) in zip(keys, targets, lists.values(), strict=True):
            batch = messages.setdefault((self._topic, partition), [])
            value = self._lists.served(content) or None
            batch.append(Outgoing(value, key, headers=seq_headers(seq)))
        return messages
