"""The content neighbours of each shard."""

from collections.abc import Sequence

from redis.asyncio import Redis

from streamapp.core.shard.content_lists import ShardContentLists
from streamapp.store.redis.hash_pages import read_hash
from streamapp.store.redis.scripts import Value
from streamapp.store.slot.keys import SlotKeys, rows_tag
from streamapp.store.slot.slot import Slot

_AT_ONCE = 500
_PUT_AT_ONCE = 250


class ContentLists:
    """Reads and writes the content neighbours of one shard."""

    def __init__(self, slot: Slot) -> None:
        self._redis = slot.redis
        self._slot = slot
        self._key = slot.keys.content

    async def put(self, position: int, lists: Sequence[tuple[str, bytes]]) -> None:
        """Write lists, (item id, packed list), that are complete up to `position`; b"" removes one.

        Raises:
            PositionMovedError: as for `Slot.write`.
        """
        for start in range(0, len(lists), _PUT_AT_ONCE):
            values: list[Value] = []
            for item, packed in lists[start : start + _PUT_AT_ONCE]:
                values += [item, packed]
            await self._slot.write("put-content", [self._key], position, values)

    async def read(self) -> ShardContentLists:
        """Return the content neighbours of the shard. Cost: a call for each 500 lists."""
        fields = await read_hash(self._redis, self._key, _AT_ONCE)
        furthest = int(fields.pop(b"", 0))
        return ShardContentLists(
            {item.decode(): packed for item, packed in fields.items()}, furthest
        )


async def read_matches(redis: Redis, state_prefix: str, shards: int) -> dict[str, bytes]:
    """Return the lists that `shards` shards hold, packed, by item id."""
    found: dict[str, bytes] = {}
    for shard in range(shards):
        slot = Slot(redis, SlotKeys(state_prefix, rows_tag(shard)))
        found |= (await ContentLists(slot).read()).lists
    return found
