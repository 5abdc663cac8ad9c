"""The blobs of a slot: histories by user, products by item, or rows by item number."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from streamapp.errors import PositionMovedError
from streamapp.store.redis.scripts import Value, run
from streamapp.store.slot.blob import Blob
from streamapp.store.slot.keys import TOMBSTONE_LIFETIME_S, pattern_of
from streamapp.store.slot.slot_interface import SlotInterface

_PUT_BYTES = 500_000
_PUT_KEYS = 250
_READ_KEYS = 500


class SlotBlobs:
    """Reads and writes the blobs of one slot."""

    def __init__(self, redis: Redis, slot: SlotInterface) -> None:
        self._redis = redis
        self._slot = slot
        self._keys = slot.keys

    async def scan(self, cursor: int) -> tuple[int, list[str]]:
        """Return the next cursor, 0 at the end, and the names of some blobs from `cursor` on."""
        prefix = self._keys.blob("")
        options: dict[str, Any] = {"match": pattern_of(prefix), "count": _READ_KEYS}
        if isinstance(self._redis, RedisCluster):
            options["target_nodes"] = partial(self._redis.get_node_from_key, self._keys.head)
        at, keys = cast("tuple[Any, list[bytes]]", await self._redis.scan(cursor, **options))
        if isinstance(at, dict):
            (at,) = at.values()
        return int(at), [key.decode().removeprefix(prefix) for key in keys]

    async def read(self, names: Sequence[str | int]) -> list[Blob | None]:
        """Return the blob of each name, or None if there is none."""
        blobs: list[Any] = []
        for keys in self._key_groups(names):
            blobs += await self._redis.mget(keys)
        return _decoded(blobs)

    async def read_at(self, position: int, names: Sequence[str | int]) -> list[Blob | None]:
        """Return the blob of each name, while the slot is at `position`.

        Raises:
            PositionMovedError: it is at another position. Where Redis went back in time, blobs may
                lack updates, and a process that goes on from them would write wrong counts.
        """
        blobs: list[Any] = []
        for keys in self._key_groups(names) or [[]]:
            found, some = await run(self._redis, "read-at", [self._keys.head, *keys], [])
            if (at := int(found or -1)) != position:
                raise PositionMovedError(position, at)
            blobs += some
        return _decoded(blobs)

    async def put(self, position: int, blobs: Iterable[tuple[str | int, bytes]]) -> int:
        """Write blobs that are complete up to `position`; return how many newer ones are stored.

        An empty blob becomes a tombstone: its position stays for a day and keeps older blobs out.

        Raises:
            PositionMovedError: as for `Slot.write`; no further blob is written.
        """
        stale = 0
        keys, values, size = list[str](), list[Value]([TOMBSTONE_LIFETIME_S]), 0
        for name, content in blobs:
            keys.append(self._keys.blob(name))
            values.append(Blob(position, content).encode())
            size += len(content)
            if size >= _PUT_BYTES or len(keys) >= _PUT_KEYS:
                stale += await self._slot.write("put-blobs", keys, position, values)
                keys, values, size = [], [TOMBSTONE_LIFETIME_S], 0
        if keys:
            stale += await self._slot.write("put-blobs", keys, position, values)
        return stale

    def _key_groups(self, names: Sequence[str | int]) -> list[list[str]]:
        keys, step = [self._keys.blob(name) for name in names], _READ_KEYS
        return [keys[start : start + step] for start in range(0, len(keys), step)]


def _decoded(blobs: Iterable[bytes | None]) -> list[Blob | None]:
    return [Blob.decode(blob) if blob else None for blob in blobs]
