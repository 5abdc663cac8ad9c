"""Core. The JSON of a list: what frontends read, and the same bytes on the output topic."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import orjson

from streamapp.core.arrays import Floats
from streamapp.core.blending import Blended
from streamapp.core.ranking import Ranking
from streamapp.core.registry import Registry

VERSION = 1
"""The layout of a list; a new layout gets a new key prefix."""


def encode_item_lists(
    numbers: list[int], ranking: Ranking, seq: int, as_of: Floats, registry: Registry
) -> Iterator[tuple[str, bytes]]:
    """Yield (item id, list) for each line of `ranking`; an empty line yields b"".

    Args:
        numbers: The items whose rows were ranked.
        ranking: Their lines, in the same order.
        seq: The shard's position; it rises with every change.
        as_of: float64 by item number. Newest event time behind each row.
        registry: The items' ids.
    """
    ids = registry.ids
    lines = zip(numbers, ranking.size.tolist(), ranking.item.tolist(), ranking.score.tolist(),
                ranking.support.tolist(), strict=True)  # fmt: skip
    for number, size, items, scores, supports in lines:
        if not size:
            yield ids[number], b""
            continue
        entries: list[dict[str, Any]] = [
            {"id": ids[item], "score": score, "support": support}
            for item, score, support in zip(items[:size], scores, supports, strict=False)
        ]
        yield ids[number], orjson.dumps({
            "v": VERSION,
            "kind": "item",
            "id": ids[number],
            "seq": seq,
            "as_of": float(as_of[number]),
            "items": entries,
        })  # fmt: skip


def encode_user_lists(
    users: Sequence[str], blended: Blended, seq: int, as_of: Floats, registry: Registry
) -> Iterator[bytes]:
    """Yield the list of each user; an empty line yields b"".

    Args:
        users: Whose lists they are.
        blended: Their lines, in the same order.
        seq: Of all of them.
        as_of: float64, shape (users,). Newest event time behind each list.
        registry: The items' ids.
    """
    ids = registry.ids
    lines = zip(users, blended.size.tolist(), blended.item.tolist(), blended.score.tolist(),
                blended.because.tolist(), as_of.tolist(), strict=True)  # fmt: skip
    for user, size, items, scores, reasons, newest in lines:
        if not size:
            yield b""
            continue
        yield orjson.dumps({
            "v": VERSION,
            "kind": "user",
            "id": user,
            "seq": seq,
            "as_of": newest,
            "items": [
                {"id": ids[item], "score": score, "reason": "similar", "because": ids[because]}
                for item, score, because in zip(items[:size], scores, reasons, strict=False)
            ],
        })  # fmt: skip


def entries_of(content: bytes) -> bytes:
    """Return the part of a list that says what is in it; b"" of no list."""
    return content.partition(b',"items":')[2]


class ItemEntry(msgspec.Struct, frozen=True, gc=False):
    """What a list of a user needs of an entry of an item's list."""

    id: str
    score: float


class ItemList(msgspec.Struct, frozen=True, gc=False):
    """What a list of a user needs of an item's list."""

    as_of: float
    items: list[ItemEntry]


decode_item_list = msgspec.json.Decoder(ItemList).decode
"""Return the list that a content holds; raises `msgspec.DecodeError` if it holds none."""
