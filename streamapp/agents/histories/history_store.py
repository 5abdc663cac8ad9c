"""Stores the histories of one partition, while lists for its users are made of them."""

import asyncio
from collections.abc import Mapping, Sequence

from streamapp.failpoints import Failpoints
from streamapp.store.slot.head import Head
from streamapp.store.slot.slot import Slot


class HistoryStore:
    """The histories in one slot.

    Attributes:
        position: The position that is stored.
    """

    def __init__(self, slot: Slot, position: int, failpoints: Failpoints) -> None:
        self.position = position
        self._slot = slot
        self._failpoints = failpoints
        self._moving = asyncio.Lock()

    async def read(self, users: Sequence[str]) -> dict[str, bytes]:
        """Return the histories of users; one that is ahead of the position is left out.

        This is called in the background, so it excludes a move of the position.

        Raises:
            PositionMovedError: the stored position is not where this process left it.
        """
        async with self._moving:
            position = self.position
            blobs = await self._slot.blobs.read_at(position, users)
        found = zip(users, (blob or (0, b"") for blob in blobs), strict=True)
        return {user: history for user, (at, history) in found if at <= position}

    async def write_and_commit(
        self, histories: Mapping[str, bytes], head: Head, items: int
    ) -> None:
        """Write histories, and then move the position to that of `head`.

        Args:
            histories: By user; b"" for one that was forgotten.
            head: The head after that.
            items: How many items the slot holds then.

        Raises:
            PositionMovedError: the stored position is not where this process left it.
        """
        async with self._moving:
            await self._slot.blobs.put(head.position, histories.items())
            self._failpoints.reach("histories.blobs-put")
            await self._slot.commit(self.position, head, items)
            self.position = head.position
