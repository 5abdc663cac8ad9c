"""Makes the versions that say which input an output includes."""

from collections.abc import Iterable
from zlib import crc32

import msgspec

from streamapp.store.slot.head import Head, ShardHead


class _Entry(msgspec.Struct, gc=False):
    id: str


class _Ids(msgspec.Struct, gc=False):
    items: list[_Entry]


_decode = msgspec.json.Decoder(_Ids).decode


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
