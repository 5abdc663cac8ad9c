"""What is added to the position of a shard to make the `seq` of its item lists (ADR-0031).

It is 0 until the deltas topic is made again: then the positions begin again, and `seq` must not.
"""

from typing import Any

from streamapp.store.slot.slot import Slot

_FIELD = "seq_base"


async def read_seq_base(slot: Slot) -> int:
    """Return what a shard adds to its positions."""
    found: Any = await slot.redis.hget(slot.keys.head, _FIELD)
    return int(found or 0)


async def write_seq_base(slot: Slot, base: int) -> None:
    """Set what a shard adds to its positions, before or after the slot is made."""
    if base:
        await slot.redis.hset(slot.keys.head, _FIELD, str(base))
