"""Core. The JSON of a list: what frontends read, and the same bytes on the output topic."""

from collections.abc import Iterator, Sequence

import msgspec

from streamapp.core.arrays import Floats
from streamapp.core.blending import Blended
from streamapp.core.popularity import FADED, Popular
from streamapp.core.ranking import Ranking
from streamapp.core.registry import Registry

VERSION = 1
"""The layout of a list; a new layout gets a new key prefix."""

ITEM = "item"
"""The kind of the list of an item's neighbours."""

BOUGHT_TOGETHER = "bought_together"
"""The kind of the list of what is in one basket with an item."""

BOUGHT_AFTER_VIEW = "bought_after_view"
"""The kind of the list of what those buy who look at an item."""

TRENDING = "trending"
"""The kind of the list of what is trending, and the reason of an entry that comes from it."""

SIMILAR = "similar"
"""The reason of an entry that similar items are there because of."""

CONTENT = "content"
"""The reason of an entry of an item's list that its text is there because of."""

_CONTENT_END = b'"reason":"content"}]}'


class ItemEntry(msgspec.Struct, gc=False):
    """An entry of an item's list."""

    id: str
    score: float
    support: int
    reason: str | msgspec.UnsetType = msgspec.UNSET


class UserEntry(msgspec.Struct, gc=False):
    """An entry of a user's list."""

    id: str
    score: float
    reason: str
    because: str | msgspec.UnsetType = msgspec.UNSET


class TrendingEntry(msgspec.Struct, gc=False):
    """An entry of what is trending."""

    id: str
    score: float


class _List(msgspec.Struct, gc=False):
    """A list, in the order in which it is written."""

    v: int
    kind: str
    id: str
    seq: int
    as_of: float
    items: list[ItemEntry] | list[UserEntry] | list[TrendingEntry]


_encode = msgspec.json.Encoder().encode


def encode_item_lists(
    numbers: list[int],
    ranking: Ranking,
    seq: int,
    as_of: Floats,
    registry: Registry,
    kind: str = ITEM,
) -> Iterator[tuple[str, bytes]]:
    """Yield (item id, list) for each line of `ranking`; an empty line yields b"".

    Args:
        numbers: The items whose rows were ranked.
        ranking: Their lines, in the same order; without support, a line is of content.
        seq: The shard's position; it rises with every change.
        as_of: float64 by item number. Newest event time behind each row.
        registry: The items' names.
        kind: Of the lists.
    """
    names = registry.names
    lines = zip(numbers, ranking.size.tolist(), ranking.item.tolist(), ranking.score.tolist(),
                ranking.support.tolist(), as_of[numbers].tolist(), strict=True)  # fmt: skip
    for number, size, items, scores, supports, newest in lines:
        if not size:
            yield names[number], b""
            continue
        reason = msgspec.UNSET if supports[0] else CONTENT
        entries = [
            ItemEntry(names[item], score, support, reason)
            for item, score, support in zip(items[:size], scores, supports, strict=False)
        ]
        yield names[number], _encode(_List(VERSION, kind, names[number], seq, newest, entries))


def encode_user_lists(
    users: Sequence[str],
    blended: Blended,
    fillers: Sequence[Sequence[str]],
    seq: int,
    as_of: Floats,
    registry: Registry,
) -> Iterator[bytes]:
    """Yield the list of each user; an empty line yields b"".

    Args:
        users: Whose lists they are.
        blended: Their lines, in the same order.
        fillers: Items that trend and follow the entries of each line.
        seq: Of all of them.
        as_of: float64, shape (users,). Newest event time behind each list.
        registry: The items' ids.
    """
    ids = registry.ids
    lines = zip(users, blended.size.tolist(), blended.item.tolist(), blended.score.tolist(),
                blended.because.tolist(), fillers, as_of.tolist(), strict=True)  # fmt: skip
    for user, size, items, scores, reasons, fill, newest in lines:
        if not size and not fill:
            yield b""
            continue
        entries = [
            UserEntry(ids[item], score, SIMILAR, ids[because])
            for item, score, because in zip(items[:size], scores, reasons, strict=False)
        ]
        entries += [UserEntry(item, 0.0, TRENDING) for item in fill]
        yield _encode(_List(VERSION, "user", user, seq, newest, entries))


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
