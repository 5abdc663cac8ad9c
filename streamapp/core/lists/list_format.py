"""The JSON of a list, as frontends read it from a key and from the output topic."""

import re
from collections.abc import Sequence

import msgspec
import numpy as np

from streamapp.core.arrays.array_types import Floats, Ints
from streamapp.core.ids.registry import Registry
from streamapp.core.list_kinds import ITEM, TRENDING
from streamapp.core.lists.blending import Blended
from streamapp.core.lists.json_kernel import Ids, Lines, Owners, write_lists
from streamapp.core.lists.ranking import Ranking
from streamapp.core.lists.reason_names import CONTENT
from streamapp.core.trending.popularity import FADED, Popular

VERSION = 1
"""The layout of a list; a new layout gets a new key prefix."""

_MOST_TEXT = 3_072
"""Most bytes of an id in JSON: 512 control characters, of six bytes each; of a category fewer."""

_MOST_BESIDE_TEXT = 256
"""Most bytes of an entry beside its ids, and of a list beside its own id and its entries."""

_MOST_KEY = 2_048

_CONTENT_END = f'"reason":"{CONTENT}"}}]}}'.encode()


_OF_LIST = re.compile(rb',"as_of":[^,]*')
_OF_ENTRY = re.compile(rb',"(?:score|support)":[^,}]*')


class TrendingEntry(msgspec.Struct, gc=False):
    """An entry of a list of trending items."""

    id: str
    score: float


class _List(msgspec.Struct, gc=False):
    """A list of trending items, with the fields in the order of the JSON."""

    v: int
    kind: str
    id: str
    seq: int
    as_of: float
    items: list[TrendingEntry]


_encode = msgspec.json.Encoder().encode


def most_bytes(top_n: int) -> int:
    """Return how many bytes the largest list and its key may have, whatever the ids are."""
    entry = 2 * _MOST_TEXT + _MOST_BESIDE_TEXT
    return _MOST_KEY + _MOST_TEXT + _MOST_BESIDE_TEXT + top_n * entry


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
        ranking: Their lines, in the same order; a line without support is of content neighbours.
        seq: The shard's position; it rises with every change.
        as_of: float64 by item number. Newest event time behind each row in seconds.
        registry: The items' ids.
        kind: Of the lists.

    Cost: O(bytes).
    """
    items = Ids(*registry.text, registry.prefix_bytes)
    lines = Lines(ranking.size, ranking.item, ranking.score, ranking.support)
    owner = Owners(items, numbers.astype(np.int64), as_of[numbers])
    contents = write_lists(VERSION, kind, seq, owner, lines, items, for_users=False)
    ids = registry.public_ids
    return [
        (ids[number], content) for number, content in zip(numbers.tolist(), contents, strict=True)
    ]


def encode_user_lists(
    users: Sequence[str], blended: Blended, seq: int, as_of: Floats, registry: Registry
) -> list[bytes]:
    """Return the list of each user; b"" for an empty line.

    Args:
        users: User ids.
        blended: Their lines, in the same order; an entry without `because` is trending.
        seq: Of all these lists.
        as_of: float64, shape (users,). Newest event time behind each list in seconds.
        registry: The items' ids.

    Cost: O(bytes).
    """
    lines = Lines(blended.size, blended.item, blended.score, blended.because)
    owner = Owners(Ids.of(users), np.arange(len(users)), as_of)
    items = Ids(*registry.text)
    return write_lists(VERSION, "user", seq, owner, lines, items, for_users=True)


def encode_trending(
    popular: Sequence[Popular], as_of: float, seq: int, half_life_s: float, category: str = ""
) -> bytes:
    """Return the list of trending items, best first; b"" without entries.

    An item whose popularity is below `FADED` is not an entry.

    Args:
        popular: Popular items, in any order.
        as_of: Newest event time in seconds; the popularity at that time is the score.
        seq: Of the list.
        half_life_s: Of the popularity.
        category: The category of the items; "" for all items.
    """
    entries = trending_entries(popular, as_of, half_life_s)
    if not entries:
        return b""
    return _encode(_List(VERSION, TRENDING, category, seq, as_of, entries))


def trending_entries(
    popular: Sequence[Popular], as_of: float, half_life_s: float
) -> list[TrendingEntry]:
    """Return the entries of the list that `encode_trending` makes, best first."""
    scored = ((one.at(as_of, half_life_s), one.item) for one in popular)
    best = sorted(scored, key=lambda one: (-one[0], one[1].encode()))
    return [TrendingEntry(item, score) for score, item in best if score >= FADED]


def is_content(content: bytes) -> bool:
    """Say whether the list of an item, as this app writes it, has content neighbours."""
    return content.endswith(_CONTENT_END)


def without_details(content: bytes) -> bytes:
    """Return a list, as this app writes it, without scores, support and `as_of`; b"" stays b"".

    A quote inside an id is escaped, so no id holds the name of a field behind a comma.
    """
    return _OF_ENTRY.sub(b"", _OF_LIST.sub(b"", content, 1))


def entries_of(content: bytes) -> bytes:
    """Return the entries of a list as JSON, to compare them; b"" where there is no list."""
    return content.partition(b',"items":')[2]


class ScoredEntry(msgspec.Struct, gc=False):
    """The part of an entry of an item's list that `blend` uses.

    A list without details, of another LIST_DETAILS, has no scores; no user list is made of it.
    """

    id: str
    score: float = 0.0


class ScoredList(msgspec.Struct, gc=False):
    """The part of an item's list that `blend` uses."""

    items: list[ScoredEntry]
    as_of: float = -np.inf


decode_scored_list = msgspec.json.Decoder(ScoredList).decode
"""Decode the list of an item; raises `msgspec.DecodeError` if it is not a list."""
