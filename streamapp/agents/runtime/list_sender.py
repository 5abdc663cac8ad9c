"""ListSender: lists that stand in Redis -> the output topic, while their owner goes on.

A worker that loses a partition of state while lists are on their way may bring them to the topic
behind newer ones. So it looks, when the broker has them, whether somebody else has claimed the
slot, and if so sends what stands by then. The last record of a key is the key, and compaction
keeps the right one.
"""

import asyncio
from collections.abc import Mapping
from secrets import token_hex

from streamapp.agents.runtime.context import StageContext
from streamapp.core.ids.partitioner import partitions_of
from streamapp.store.slot.keys import list_name
from streamapp.store.slot.slot import Slot
from streamapp.transport.producer import Outgoing


class ListSender:
    """Sends the lists of one kind that the owner of `slot` makes, one group at a time.

    Attributes:
        owner: What the slot was claimed with.
    """

    def __init__(self, outside: StageContext, slot: Slot, kind: str, failpoint: str) -> None:
        self.owner = ""
        self._kind = kind
        self._slot = slot
        self._lists = outside.lists
        self._publisher = outside.publisher
        self._failpoints = outside.failpoints
        self._failpoint = failpoint
        self._topic = outside.settings.lists_topic
        self._partitions = 0
        self._sending: asyncio.Task[None] | None = None

    async def open(self, owner: str = "") -> None:
        """Claim the slot, unless `owner` has, and learn the partitions of the output topic."""
        await self.settle()
        self.owner = owner or token_hex(8)
        if not owner:
            await self._slot.claim(self.owner)
        self._partitions = await self._publisher.partitions(self._topic)

    @property
    def under_way(self) -> bool:
        """Whether lists are being sent, so that `settle` would wait."""
        return self._sending is not None and not self._sending.done()

    @property
    def arrived(self) -> bool:
        """Whether the sending of lists has ended, and `settle` has not been told."""
        return self._sending is not None and self._sending.done()

    async def settle(self) -> None:
        """Return when the topic has all that was sent; raise what went wrong with it."""
        if self._sending is not None:
            # What is on its way cannot be called back, so a worker that is told to drop the slot
            # still looks after it.
            await asyncio.shield(self._sending)
            self._sending = None

    def send(self, lists: Mapping[str, bytes]) -> None:
        """Begin to send what stands in Redis by name, b"" for nothing; settle before the next."""
        self._sending = asyncio.create_task(self._send(lists))

    async def _send(self, lists: Mapping[str, bytes]) -> None:
        """Send lists; return when the topic does not end with an older one than its key."""
        owner = self.owner
        while lists:
            await self._publisher.deliver(self._messages(lists))
            if await self._slot.claimed_by(owner):
                break
            standing = await self._lists.standing(self._kind, list(lists))
            lists = {
                name: now
                for (name, sent), now in zip(lists.items(), standing, strict=True)
                if now != sent
            }
        self._failpoints.reach(self._failpoint)

    def _messages(self, lists: Mapping[str, bytes]) -> dict[tuple[str, int], list[Outgoing]]:
        messages: dict[tuple[str, int], list[Outgoing]] = {}
        keys = [list_name(self._kind, name).encode() for name in lists]
        places = partitions_of(keys, self._partitions)
        for key, partition, content in zip(keys, places, lists.values(), strict=True):
            target = messages.setdefault((self._topic, partition), [])
            target.append(Outgoing(content or None, key))
        return messages
