"""The interface by which the parts of a slot write to it."""

from collections.abc import Sequence
from typing import Protocol

from streamapp.store.redis.scripts import Value
from streamapp.store.slot.keys import SlotKeys


class SlotInterface(Protocol):
    """A slot, as its blobs, item ids and columns need it.

    Attributes:
        keys: The keys of the slot.
    """

    keys: SlotKeys

    async def write(
        self, script: str, keys: Sequence[str], position: int, values: Sequence[Value]
    ) -> int:
        """Run a script, as `Slot.write` does."""
