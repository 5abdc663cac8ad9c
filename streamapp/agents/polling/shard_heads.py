"""Reads the heads of shards for all jobs of a worker that ask for them."""

from collections.abc import Sequence

from redis.asyncio import Redis

from streamapp.agents.polling.shared_read import SharedRead
from streamapp.store.slot.head import ShardHead
from streamapp.store.slot.head_reader import read_heads

_GATHER_S = 0.03
"""Seconds that a read waits for more jobs. Some of them wait for others of their kind before."""


class ShardHeads:
    """The heads of the shards of one pipeline.

    Jobs that ask at the same time share a read. It reads what any of them asked for.

    Args:
        redis: A client that answers in bytes.

    Attributes:
        changes: How often this worker changed a head, so that its jobs need not wait for a poll.
    """

    def __init__(self, redis: Redis) -> None:
        self.changes = 0
        self._redis = redis
        self._keys: dict[str, None] = {}
        self._attributes: dict[str, None] = {}
        self._sources: dict[str, None] = {}
        self._heads = SharedRead(self._read, _GATHER_S)

    def changed(self) -> None:
        """Note that this worker has changed a head."""
        self.changes += 1

    async def read(
        self, keys: Sequence[str], *attributes: str, source: str = ""
    ) -> list[ShardHead | None]:
        """Return heads as they are stored at some moment after this call.

        Args:
            keys: The keys of the heads.
            attributes: The attributes to read beside the position. Others have their default, or
                the value that another job asked for.
            source: A source whose applied offset is read too; "" for none.

        Returns:
            The heads, None for a missing one. Other jobs get the same objects.

        Raises:
            StreamappError: Redis refuses, or holds something else.
        """
        self._keys |= dict.fromkeys(keys)
        self._attributes |= dict.fromkeys(attributes)
        self._sources |= dict.fromkeys([source] if source else [])
        heads = await self._heads.get()
        return [heads[key] for key in keys]

    async def _read(self) -> dict[str, ShardHead | None]:
        keys, attributes, sources = list(self._keys), list(self._attributes), list(self._sources)
        self._keys, self._attributes, self._sources = {}, {}, {}
        found = await read_heads(self._redis, keys, ShardHead, *attributes, sources=sources)
        return dict(zip(keys, found, strict=True))
