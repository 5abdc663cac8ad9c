"""What a slot keeps by item number: the item ids, and columns of packed records."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from streamapp.core.ids.registry import Registry
from streamapp.store.redis.refusals import readable
from streamapp.store.redis.scripts import Value
from streamapp.store.slot.writer import SlotWriter

_PUT_RECORDS = 250
_PUT_IDS = 1_000
_READ_IDS = 5_000
_READ_BYTES = 1_000_000


class SlotItems:
    """Reads and writes the item ids and the columns of one slot."""

    def __init__(self, redis: Redis, slot: SlotWriter) -> None:
        self._redis = redis
        self._slot = slot
        self._keys = slot.keys

    async def registry(self, empty: Registry | None = None) -> Registry:
        """Return the items of the slot, in `empty` or in a new registry."""
        registry = Registry() if empty is None else empty
        while True:
            start = len(registry)
            with readable(f"to read {self._keys.items}"):
                ids: Any = await self._redis.lrange(self._keys.items, start, start + _READ_IDS - 1)
            if not ids:
                return registry
            registry.number([item.decode() for item in ids])

    async def put_items(self, position: int, known: int, ids: Sequence[str]) -> None:
        """Append ids of items that the records below `position` name first.

        Args:
            position: Of the slot's log.
            known: Items that the registry has before.
            ids: The new items, in order of first appearance.

        Raises:
            PositionMovedError: as for `Slot.write`.
            StateError: other items are stored there.
        """
        for start in range(0, len(ids), _PUT_IDS):
            some = ids[start : start + _PUT_IDS]
            values: list[Value] = [known + start, *some]
            await self._slot.write("put-items", [self._keys.items], position, values)

    async def packed(self, key: str) -> bytes:
        """Return a column: the packed records, one for each item number, under one of the keys."""
        packed = b""
        while True:
            start = len(packed)
            with readable(f"to read {key}"):
                part: Any = await self._redis.getrange(key, start, start + _READ_BYTES - 1)
            if not part:
                return packed
            packed += part

    async def put_packed(
        self, key: str, position: int, records: Sequence[tuple[int, bytes]]
    ) -> None:
        """Write records of a column, (item number, record), that are complete up to `position`.

        Raises:
            PositionMovedError: as for `Slot.write`.
        """
        for start in range(0, len(records), _PUT_RECORDS):
            values: list[Value] = []
            for number, record in records[start : start + _PUT_RECORDS]:
                values += [number * len(record), record]
            await self._slot.write("put-packed", [key], position, values)
