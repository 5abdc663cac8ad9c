"""Core. The JSON of a list: what frontends read, and the same bytes on the output topic."""

from collections.abc import Iterator
from typing import Any

import orjson

from streamapp.core.arrays import Floats
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
