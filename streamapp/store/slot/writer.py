"""What the parts of a slot need of it in order to write."""

from collections.abc import Sequence
from typing import Protocol

from streamapp.store.redis.scripts import Value
from streamapp.store.slot.keys import SlotKeys


class SlotWriter(Protocol):
    """Writes ahead of the position of one slot.

    Attributes:
        keys: The keys of the slot.
    """

    keys: SlotKeys

    async def write(
        self, script: str, keys: Sequence[str], position: int, values: Sequence[Value]
    ) -> int:
        """Run a script, as `Slot.write` does."""
