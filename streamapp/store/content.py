"""Store. Content neighbours: what each shard holds of them."""

from typing import Any

from redis.asyncio import Redis

from streamapp.core.content import Content
from streamapp.settings import Settings
from streamapp.store.keys import SlotKeys, rows_tag
from streamapp.store.scripts import readable

_AT_ONCE = 500


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


async def read_matches(redis: Redis, settings: Settings, shards: int) -> dict[str, bytes]:
    """Return the lists that `shards` shards hold, packed, by item id."""
    found: dict[str, bytes] = {}
    for shard in range(shards):
        found |= (await read_content(redis, SlotKeys(settings.state_prefix, rows_tag(shard)))).lists
    return found
