"""The JSON of a list: what frontends read, and the same bytes on the output topic."""

from collections.abc import Sequence

import msgspec
import numpy as np

from streamapp.core.arrays.dtypes import Floats, Ints
from streamapp.core.ids.registry import Registry
from streamapp.core.list_kinds import ITEM, TRENDING
from streamapp.core.lists.blending import Blended
from streamapp.core.lists.json_kernel import Lines, Names, Owners, write_lists
from streamapp.core.lists.ranking import Ranking
from streamapp.core.lists.reasons import CONTENT
from streamapp.core.trending.popularity import FADED, Popular

VERSION = 1
"""The layout of a list; a new layout gets a new key prefix."""

_CONTENT_END = f'"reason":"{CONTENT}"}}]}}'.encode()


class TrendingEntry(msgspec.Struct, gc=False):
    """An entry of what is trending."""

    id: str
    score: float


class _List(msgspec.Struct, gc=False):
    """What is trending, in the order in which it is written."""

    v: int
    kind: str
    id: str
    seq: int
    as_of: float
    items: list[TrendingEntry]


_encode = msgspec.json.Encoder().encode


def encode_item_lists(
    numbers: Ints,
    ranking: Ranking,
    seq: int,
    as_of: Floats,
    registry: Registry,
    kind: str = ITEM,
) -> list[tuple[str, bytes]]:
    """Return (item id, list) for each line of `ranking`; b"" for an empty line.

    Args:
        numbers: int32. The items whose rows were ranked.
        ranking: Their lines, in the same order; without support, a line is of content.
        seq: The shard's position; it rises with every change.
        as_of: float64 by item number. Newest event time behind each row.
        registry: The items' names.
        kind: Of the lists.
    """
    items = Names(*registry.text, registry.prefix_bytes)
    lines = Lines(ranking.size, ranking.item, ranking.score, ranking.support)
    owner = Owners(items, numbers.astype(np.int64), as_of[numbers])
    contents = write_lists(VERSION, kind, seq, owner, lines, items, for_users=False)
    names = registry.public_ids
    return [
        (names[number], content) for number, content in zip(numbers.tolist(), contents, strict=True)
    ]


def encode_user_lists(
    users: Sequence[str], blended: Blended, seq: int, as_of: Floats, registry: Registry
) -> list[bytes]:
    """Return the list of each user; b"" for an empty line.

    Args:
        users: Whose lists they are.
        blended: Their lines, in the same order; an entry because of nothing is trending.
        seq: Of all of them.
        as_of: float64, shape (users,). Newest event time behind each list.
        registry: The items' ids.
    """
    lines = Lines(blended.size, blended.item, blended.score, blended.because)
    owner = Owners(Names.of(users), np.arange(len(users)), as_of)
    items = Names(*registry.text)
    return write_lists(VERSION, "user", seq, owner, lines, items, for_users=True)


def encode_trending(
    popular: Sequence[Popular], as_of: float, seq: int, half_life_s: float, category: str = ""
) -> bytes:
    """Return the list of what is trending, best first; b"" of nothing.

    What has faded below `FADED` is not trending any more.

    Args:
        popular: The entries.
        as_of: Newest event time in seconds; the popularity at that time is the score.
        seq: Of the list.
        half_life_s: Of the popularity.
        category: In which it is trending; "" for all items.
    """
    scored = ((one.at(as_of, half_life_s), one.item) for one in popular)
    best = sorted(scored, key=lambda one: (-one[0], one[1].encode()))
    entries = [TrendingEntry(item, score) for score, item in best if score >= FADED]
    if not entries:
        return b""
    return _encode(_List(VERSION, TRENDING, category, seq, as_of, entries))


def is_content(content: bytes) -> bool:
    """Say whether a list of an item, as this app writes it, is of content neighbours."""
    return content.endswith(_CONTENT_END)


def entries_of(content: bytes) -> bytes:
    """Return the part of a list that says what is in it; b"" of no list."""
    return content.partition(b',"items":')[2]


class Scored(msgspec.Struct, gc=False):
    """What a list of a user needs of an entry of an item's list."""

    id: str
    score: float


class Scores(msgspec.Struct, gc=False):
    """What a list of a user needs of an item's list."""

    as_of: float
    items: list[Scored]


decode_scores = msgspec.json.Decoder(Scores).decode
"""Return what an item's list says; raises `msgspec.DecodeError` where it is none."""
