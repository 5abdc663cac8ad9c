"""Says whether a list differs from the published one so much that it is published again.

It differs if its members or their order differ, or the reason of an entry, or if a score has moved
by more than a share of the published score: the tolerance. Each comparison is with what is
published, so small moves do not add up unseen (ADR-0027).
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from streamapp.core.arrays.array_types import Bools, Floats, Ints
from streamapp.core.arrays.compiled import compiled
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.list_digest import list_digests
from streamapp.core.lists.list_format import TrendingEntry, entries_of, trending_entries
from streamapp.core.lists.ranking import Ranking
from streamapp.core.trending.popularity import MOST_HALF_LIVES, Popular


class _Entry(msgspec.Struct, gc=False):
    """An entry of any kind of list; the support of entries that have none is -1."""

    id: str
    score: float
    support: int = -1
    reason: str = ""
    because: str = ""


class _List(msgspec.Struct, gc=False):
    items: list[_Entry]
    as_of: float = -math.inf


_decode = msgspec.json.Decoder(_List).decode


@compiled
def moved(published: float, score: float, tolerance: float) -> bool:
    """Say whether a score is farther from the published one than the share `tolerance` of it."""
    return not abs(score - published) <= tolerance * abs(published)


@compiled
def any_moved(published: Floats, scores: Floats, tolerance: float) -> bool:
    """Say whether any score has moved; both arrays are float64, in the same order."""
    found = False
    for place in range(len(scores)):
        found = found or moved(published[place], scores[place], tolerance)
    return found


@compiled
def differing_lines(
    numbers: Ints,
    published_item: Ints,
    published_score: Floats,
    item: Ints,
    score: Floats,
    tolerance: float,
) -> Bools:
    """Say of each line whether it differs from a published list.

    Args:
        numbers: int32, shape (lines,). The published list of each line.
        published_item: int32, shape (lists, top_n). Item numbers; -1 beyond the end of a list.
        published_score: float64, shape (lists, top_n).
        item: int32, shape (lines, top_n). As `published_item`, by line.
        score: float64, shape (lines, top_n).
        tolerance: A share of a published score; > 0.

    Cost: O(entries).
    """
    found = np.zeros(len(numbers), np.bool_)
    for line in range(len(numbers)):
        number = numbers[line]
        for place in range(item.shape[1]):
            other = item[line, place]
            if other != published_item[number, place] or (
                other >= 0 and moved(published_score[number, place], score[line, place], tolerance)
            ):
                found[line] = True
                break
            if other < 0:
                break
    return found


def content_differs(published: bytes, made: bytes, tolerance: float) -> bool:
    """Say whether a list differs from the published one, both as JSON; b"" is no list.

    Args:
        published: As the key holds it.
        made: As it would be published now.
        tolerance: A share of a published score; 0 compares the bytes of the entries.

    Cost: O(bytes).
    """
    if entries_of(published) == entries_of(made):
        return False
    if not (tolerance and published and made):
        return True
    before, now = _decoded(published).items, _decode(made).items
    return _members(before) != _members(now) or any_moved(_scores(before), _scores(now), tolerance)


def trending_differs(
    published: bytes, popular: Sequence[Popular], as_of: float, half_life_s: float, tolerance: float
) -> bool:
    """Say whether a list of trending items differs from the published one.

    All popularity decays alike, so both are compared at the time of the published list.

    Args:
        published: As the key holds it; b"" is no list.
        popular: Popular items, best first.
        as_of: Newest event time in seconds.
        half_life_s: Of the popularity.
        tolerance: A share of a published score; > 0.
    """
    if not published:
        return bool(trending_entries(popular, as_of, half_life_s))
    before = _decoded(published)
    if not 0 <= as_of - before.as_of <= MOST_HALF_LIVES * half_life_s:
        return True
    now = trending_entries(popular, before.as_of, half_life_s)
    if [one.id for one in before.items] != [one.id for one in now]:
        return True
    return any_moved(_scores(before.items), _scores(now), tolerance)


def decode_rankings(
    contents: Sequence[bytes], registry: Registry, top_n: int
) -> tuple[Bools, Ranking]:
    """Return lists of items as a ranking, and which of them it holds.

    A list is left out, as an empty line, if it names an item that the registry does not know, or
    has more entries than `top_n`, or is no list.

    Args:
        contents: As keys hold them; b"" is an empty line.
        registry: The items' ids.
        top_n: Most entries of a list; > 0.

    Cost: O(bytes).
    """
    lines = len(contents)
    held, size = np.zeros(lines, np.bool_), np.zeros(lines, np.int32)
    item, score = np.full((lines, top_n), -1, np.int32), np.zeros((lines, top_n))
    support = np.zeros((lines, top_n), np.int32)
    for line, content in enumerate(contents):
        entries = _decoded(content).items
        if len(entries) > top_n or bool(entries) != bool(content):
            continue
        numbers = [registry.find(registry.listed_prefix + one.id) for one in entries]
        if min(numbers, default=0) < 0:
            continue
        held[line], size[line], end = True, len(entries), len(entries)
        item[line, :end], score[line, :end] = numbers, _scores(entries)
        support[line, :end] = [one.support for one in entries]
    return held, Ranking(size, item, score, support, list_digests(size, item, score, support))


def _decoded(content: bytes) -> _List:
    """Return a list; one without entries, which no key holds, if it is no list."""
    try:
        return _decode(content)
    except msgspec.DecodeError:
        return _List([])


def _members(entries: Sequence[_Entry]) -> list[tuple[str, str, str]]:
    """Return what may not differ, of each entry."""
    return [(one.id, one.reason, one.because) for one in entries]


def _scores(entries: Sequence[_Entry | TrendingEntry]) -> Floats:
    return np.array([one.score for one in entries], np.float64)
