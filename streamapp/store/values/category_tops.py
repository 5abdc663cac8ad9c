"""The tops of a shard's categories, and the categories with events."""

import struct
from collections.abc import Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis

from streamapp.core.trending.categories import CategoryTop
from streamapp.core.trending.popularity import Popular
from streamapp.errors import StateError
from streamapp.store.redis.error_meanings import explained_errors
from streamapp.store.redis.hash_pages import hash_pages
from streamapp.store.redis.scripts import Value
from streamapp.store.slot.keys import SlotKeys, rows_tag
from streamapp.store.slot.slot import Slot

_HEADER = struct.Struct(">Qi")
_AT_ONCE = 250

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Popular]).decode


class CategoryTops:
    """Reads and writes the category tops of one shard."""

    def __init__(self, slot: Slot) -> None:
        self._redis = slot.redis
        self._slot = slot
        self._keys = slot.keys

    async def put(self, position: int, tops: Sequence[CategoryTop], *, touched: bool) -> None:
        """Write tops that are right at `position`, in the order of their numbers.

        Args:
            position: Of the shard's log.
            tops: The tops.
            touched: Whether something happened in these categories, or they only get a number.

        Raises:
            PositionMovedError: as for `Slot.write`.
        """
        keys = [self._keys.tops, self._keys.touched]
        for start in range(0, len(tops), _AT_ONCE):
            values: list[Value] = [int(touched)]
            for top in tops[start : start + _AT_ONCE]:
                values += [top.category, _HEADER.pack(position, top.number) + _encode(top.popular)]
            await self._slot.write("put-tops", keys, position, values)

    async def numbers(self) -> dict[str, int]:
        """Return the number of every category.

        Raises:
            StateError: another program wrote the value.
        """
        numbers: dict[str, int] = {}
        async for page in hash_pages(self._redis, self._keys.tops, _AT_ONCE):
            for category, top in page.items():
                numbers[category.decode()] = _HEADER.unpack_from(top)[1]
        if sorted(numbers.values()) != list(range(1, len(numbers) + 1)):
            raise StateError(
                f"{self._keys.tops} lacks a category, or has one twice; count again from the "
                "first event with `streamapp rebuild`"
            )
        return numbers

    async def touched_since(self, position: int) -> list[str]:
        """Return the categories in which something happened that is not in the state at `position`.

        Cost: O(result + log(number of categories)).
        """
        with explained_errors(f"to read {self._keys.touched}"):
            found: Any = await self._redis.zrangebyscore(self._keys.touched, f"({position}", "+inf")
        return [category.decode() for category in found]

    async def read(self, categories: Sequence[str]) -> list[list[Popular]]:
        """Return the tops of these categories; an unknown category has none."""
        if not categories:
            return []
        with explained_errors(f"to read {self._keys.tops}"):
            found: Any = await self._redis.hmget(self._keys.tops, list(categories))
        return [_decode(top[_HEADER.size :]) if top else [] for top in found]


async def known_categories(redis: Redis, state_prefix: str, shards: int) -> set[str]:
    """Return the categories that some shard knows. Cost: O(categories), a call a shard."""
    known: set[str] = set()
    for shard in range(shards):
        key = SlotKeys(state_prefix, rows_tag(shard)).tops
        with explained_errors(f"to read {key}"):
            found: Any = await redis.hkeys(key)
        known |= {category.decode() for category in found}
    return known
