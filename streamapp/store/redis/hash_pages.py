"""Reads a hash in pages, so that no call to Redis returns all of a large one."""

from collections.abc import AsyncIterator
from typing import Any

from redis.asyncio import Redis

from streamapp.store.redis.error_meanings import explained_errors


async def hash_pages(redis: Redis, key: str, count: int) -> AsyncIterator[dict[bytes, bytes]]:
    """Yield all fields of a hash, about `count` in a page.

    A field may be in two pages. A field that is added or removed meanwhile may be missing.

    Raises:
        StateError: the key is of another type.

    Cost: a call for each page.
    """
    cursor = 0
    while True:
        with explained_errors(f"to read {key}"):
            reply: Any = await redis.hscan(key, cursor, count=count)
        cursor, page = int(reply[0]), reply[1]
        yield page
        if not cursor:
            return


async def read_hash(redis: Redis, key: str, count: int) -> dict[bytes, bytes]:
    """Return all fields of a hash, read in pages of about `count`.

    Raises:
        StateError: the key is of another type.
    """
    fields: dict[bytes, bytes] = {}
    async for page in hash_pages(redis, key, count):
        fields |= page
    return fields
