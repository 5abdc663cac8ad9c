"""The columns of a slot: packed records by item number, such as norms and popularity."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from streamapp.store.redis.error_meanings import explained_errors
from streamapp.store.redis.scripts import Value
from streamapp.store.slot.slot_interface import SlotInterface

_PUT_RECORDS = 250
_READ_BYTES = 1_000_000


class SlotColumns:
    """Reads and writes the columns of one slot."""

    def __init__(self, redis: Redis, slot: SlotInterface) -> None:
        self._redis = redis
        self._slot = slot

    async def read(self, key: str) -> bytes:
        """Return a column: the packed records, one for each item number, under one of the keys."""
        packed = b""
        while True:
            start = len(packed)
            with explained_errors(f"to read {key}"):
                part: Any = await self._redis.getrange(key, start, start + _READ_BYTES - 1)
            if not part:
                return packed
            packed += part

    async def put_records(
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
            await self._slot.write("put-records", [key], position, values)
