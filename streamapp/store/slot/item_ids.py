"""The ids of the items of a slot, by item number."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from streamapp.core.ids.registry import Registry
from streamapp.store.redis.error_meanings import explained_errors
from streamapp.store.redis.scripts import Value
from streamapp.store.slot.slot_interface import SlotInterface

_PUT_IDS = 1_000
_READ_IDS = 5_000


class SlotItemIds:
    """Reads and writes the item ids of one slot."""

    def __init__(self, redis: Redis, slot: SlotInterface) -> None:
        self._redis = redis
        self._slot = slot
        self._keys = slot.keys

    async def registry(self, empty: Registry | None = None) -> Registry:
        """Return the items of the slot, in `empty` or in a new registry."""
        registry = Registry() if empty is None else empty
        while True:
            start = len(registry)
            with explained_errors(f"to read {self._keys.items}"):
                ids: Any = await self._redis.lrange(self._keys.items, start, start + _READ_IDS - 1)
            if not ids:
                return registry
            registry.number([item.decode() for item in ids])

    async def count(self) -> int:
        """Return how many items the slot has."""
        with explained_errors(f"to read {self._keys.items}"):
            return int(await self._redis.llen(self._keys.items))

    async def put_ids(self, position: int, known: int, ids: Sequence[str]) -> None:
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
