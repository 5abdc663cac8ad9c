"""Reads some fields of many heads at once."""

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

from redis.asyncio import Redis

from streamapp.store.slot.head import Head, offset_name, stored_names

_CALLS = 32

H = TypeVar("H", bound=Head)


async def read_heads(
    redis: Redis, keys: Sequence[str], kind: type[H], *attributes: str, source: str = ""
) -> list[H | None]:
    """Return heads of which some attributes are read; the others have their defaults.

    Args:
        redis: A client that answers in bytes.
        keys: The keys of the heads.
        kind: The kind of these heads.
        attributes: The attributes to read beside the position.
        source: A source whose applied offset is read too; "" for none.

    Cost: a call for each head, at most 32 in flight.
    """
    names = stored_names(kind, ("position", *attributes))
    names += [offset_name(source)] if source else []
    found: list[H | None] = []
    for start in range(0, len(keys), _CALLS):
        some: list[Any] = await asyncio.gather(
            *(redis.hmget(key, names) for key in keys[start : start + _CALLS])
        )
        found += (
            kind.decode(
                {
                    name: value
                    for name, value in zip(names, values, strict=True)
                    if value is not None
                }
            )
            for values in some
        )
    return found
