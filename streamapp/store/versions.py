"""What heads say of how far lists are, and texts of it that are compared."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any
from zlib import crc32

import msgspec
from redis.asyncio import Redis

_CALLS = 32


class _Entry(msgspec.Struct, gc=False):
    id: str


class _Ids(msgspec.Struct, gc=False):
    items: list[_Entry]


_decode = msgspec.json.Decoder(_Ids).decode


async def read_heads(redis: Redis, heads: Sequence[str], fields: list[str]) -> list[Any]:
    """Return these fields of every head, some calls at a time: each takes a connection."""
    found: list[Any] = []
    for start in range(0, len(heads), _CALLS):
        some = heads[start : start + _CALLS]
        found += await asyncio.gather(*(redis.hmget(head, fields) for head in some))
    return found


def positions_text(positions: Iterable[int | bytes | None]) -> str:
    """Return the positions of all shards."""
    return ",".join(_text(position) for position in positions)


def positions_of(text: bytes) -> list[int]:
    """Return the positions of all shards from what `positions_text` made of them."""
    return [int(position or 0) for position in text.split(b",")]


def published_text(
    shards: Iterable[tuple[int | bytes | None, bytes | None] | None], trending: bytes
) -> str:
    """Return what changes whenever a list has changed that lists for users are made of.

    Args:
        shards: The position of each, and how many lists it has published; None without a head.
        trending: The list of what is trending, of which only the order of its entries counts; b""
            for none.
    """
    heads = ((None, None) if shard is None else shard for shard in shards)
    counts = ",".join(":".join(_text(value) for value in head) for head in heads)
    return f"{counts}/{crc32(' '.join(ids_of(trending)).encode())}"


def matched_text(
    catalogue: Iterable[int | bytes | None],
    shards: Iterable[tuple[int | bytes | None, bytes | None] | None],
) -> str:
    """Return what changes whenever content neighbours may be others than they were.

    Args:
        catalogue: The position of each of its partitions.
        shards: The position of each, and how many lists it has published; None without a head.
    """
    return f"{positions_text(catalogue)}/{published_text(shards, b'')}"


def ids_of(content: bytes) -> list[str]:
    """Return the ids of the entries of a list, in order; b"" has none.

    Raises:
        msgspec.DecodeError: it is no list.
    """
    return [entry.id for entry in _decode(content).items] if content else []


def _text(value: int | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else "" if value is None else str(value)
