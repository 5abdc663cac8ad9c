"""Reads some fields of many heads at once."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from redis.asyncio import Redis

from streamapp.store.redis.hashes import read_hashes
from streamapp.store.slot.head import Head, offset_name, stored_names

H = TypeVar("H", bound=Head)


async def read_heads(
    redis: Redis,
    keys: Sequence[str],
    kind: type[H],
    *attributes: str,
    sources: Iterable[str] = (),
) -> list[H | None]:
    """Return heads of which some attributes are read; the others have their defaults.

    Args:
        redis: A client that answers in bytes.
        keys: The keys of the heads.
        kind: The kind of these heads.
        attributes: The attributes to read beside the position.
        sources: Sources whose applied offsets are read too.

    Raises:
        StreamappError: Redis refuses, or holds something else.

    Cost: as for `read_hashes`.
    """
    names = stored_names(kind, ("position", *attributes))
    names += [offset_name(source) for source in sources]
    return [
        kind.decode(
            {name: value for name, value in zip(names, values, strict=True) if value is not None}
        )
        for values in await read_hashes(redis, keys, names)
    ]
