"""Reads fields of many hashes in few calls."""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from streamapp.store.redis.error_meanings import explained_errors

_CALLS = 64
"""Most hashes in one pipeline, so that its replies are small and other tasks get their turn."""

_ALONE = 32
"""Most calls in flight for hashes that a pipeline did not return."""


async def read_hashes(
    redis: Redis, keys: Sequence[str], names: Sequence[str]
) -> list[list[bytes | None]]:
    """Return the fields `names` of each hash; None for a field that it does not have.

    Args:
        redis: A client that answers in bytes.
        keys: The keys of the hashes.
        names: The fields, at least one.

    Raises:
        StreamappError: Redis refuses, for instance because a key is of another type.

    Cost: a command for each hash, and a round trip for 64 of them; on a cluster, one for each node.
    """
    found: list[list[bytes | None]] = []
    for start in range(0, len(keys), _CALLS):
        found += await _read(redis, keys[start : start + _CALLS], names)
    return found


async def _read(
    redis: Redis, keys: Sequence[str], names: Sequence[str]
) -> list[list[bytes | None]]:
    pipe = redis.pipeline(transaction=False)
    for key in keys:
        pipe.hmget(key, names)
    try:
        replies: list[Any] = await pipe.execute(raise_on_error=False)
    except Exception as error:  # noqa: BLE001 - the calls below wait until it passes, or raise it
        replies = [error] * len(keys)
    failed = [at for at, reply in enumerate(replies) if isinstance(reply, Exception)]
    for start in range(0, len(failed), _ALONE):
        some = failed[start : start + _ALONE]
        again = await asyncio.gather(*(_read_one(redis, keys[at], names) for at in some))
        for at, values in zip(some, again, strict=True):
            replies[at] = values
    return replies


async def _read_one(redis: Redis, key: str, names: Sequence[str]) -> list[bytes | None]:
    """Return the fields of one hash; unlike a pipeline, this call waits for errors that pass."""
    with explained_errors(f"to read {key}"):
        values: Any = await redis.hmget(key, names)
    return list(values)
