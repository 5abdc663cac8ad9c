"""Reads many heads, and makes the versions that say which input an output includes."""

from collections.abc import Iterable, Sequence
from typing import TypeVar
from zlib import crc32

import msgspec
from redis.asyncio import Redis

from streamapp.store.redis.hashes import read_hashes
from streamapp.store.slot.head import Head, ShardHead, offset_name, stored_names

H = TypeVar("H", bound=Head)


class _Entry(msgspec.Struct, gc=False):
    id: str


class _Ids(msgspec.Struct, gc=False):
    items: list[_Entry]


_decode = msgspec.json.Decoder(_Ids).decode


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


def positions_text(heads: Iterable[Head | None]) -> str:
    """Return the positions of heads; an empty text for a missing head."""
    return ",".join("" if head is None else str(head.position) for head in heads)


def positions_of(text: str) -> list[int]:
    """Return the positions that `positions_text` wrote; 0 where there was no head."""
    return [int(position or 0) for position in text.split(",")]


def published_text(shards: Iterable[ShardHead | None], trending: bytes) -> str:
    """Return the version of the lists that user lists are made from: any change changes it.

    Args:
        shards: The head of each: its position, and how many lists it has published.
        trending: The trending list; only the order of its entries counts. b"" for none.
    """
    counts = ",".join(
        ":" if head is None else f"{head.position}:{_text(head.published)}" for head in shards
    )
    return f"{counts}/{crc32(' '.join(ids_of(trending)).encode())}"


def matched_text(catalogue: Iterable[Head | None], shards: Iterable[ShardHead | None]) -> str:
    """Return the version of the input of content neighbours: any change changes it.

    Args:
        catalogue: The head of each of its partitions: its position.
        shards: The head of each: its position, and how many lists it has published.
    """
    return f"{positions_text(catalogue)}/{published_text(shards, b'')}"


def ids_of(content: bytes) -> list[str]:
    """Return the ids of the entries of a list, in order; b"" has none.

    Raises:
        msgspec.DecodeError: it is no list.
    """
    return [entry.id for entry in _decode(content).items] if content else []


def _text(count: int | None) -> str:
    return "" if count is None else str(count)
