"""Content neighbours: what each shard holds of them."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from streamapp.core.content.neighbours import Content
from streamapp.store.redis.scripts import Value, readable
from streamapp.store.slot.keys import SlotKeys, rows_tag
from streamapp.store.slot.slot import Slot

_AT_ONCE = 500
_PUT_AT_ONCE = 250


async def put_content(slot: Slot, position: int, lists: Sequence[tuple[str, bytes]]) -> None:
    """Write lists, (item id, packed list), that are complete up to `position`; b"" removes one.

    Raises:
        FenceMovedError: as for `Slot.put`.
    """
    for start in range(0, len(lists), _PUT_AT_ONCE):
        values: list[Value] = []
        for item, packed in lists[start : start + _PUT_AT_ONCE]:
            values += [item, packed]
        await slot.put_by("put-content", [slot.keys.content], position, values)


async def read_content(redis: Redis, keys: SlotKeys) -> Content:
    """Return what the slot of a shard holds. Cost: a call for each 500 lists."""
    cursor, fields = -1, dict[bytes, bytes]()
    while cursor:
        with readable(f"to read {keys.content}"):
            found: Any = await redis.hscan(keys.content, max(cursor, 0), count=_AT_ONCE)
        cursor, some = int(found[0]), found[1]
        fields |= some
    furthest = int(fields.pop(b"", 0))
    return Content({item.decode(): packed for item, packed in fields.items()}, furthest)


async def read_matches(redis: Redis, state_prefix: str, shards: int) -> dict[str, bytes]:
    """Return the lists that `shards` shards hold, packed, by item id."""
    found: dict[str, bytes] = {}
    for shard in range(shards):
        found |= (await read_content(redis, SlotKeys(state_prefix, rows_tag(shard)))).lists
    return found
