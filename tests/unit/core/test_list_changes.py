"""Lists that differ from the published ones: by members, order, reasons, or by a moved score."""

import json
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from streamapp.core.ids.registry import Registry
from streamapp.core.ids.role_registry import RoleRegistry
from streamapp.core.lists.list_changes import (
    any_moved,
    content_differs,
    decode_rankings,
    trending_differs,
)
from streamapp.core.lists.list_digest import list_digests
from streamapp.core.lists.list_format import encode_item_lists, encode_trending, entries_of
from streamapp.core.lists.ranking import Ranking
from streamapp.core.shard.published_lists import PublishedLists
from streamapp.core.trending.popularity import Popular

TOP_N = 3
HALF_LIFE_S = 64.0
NOW = 64.0 * 2_000

Lines = list[list[tuple[int, float, int]]]
"""By line: number, score and support of each entry."""


def ranking(*lines: list[tuple[int, float, int]]) -> Ranking:
    """Return a ranking of these lines."""
    size = np.array([len(line) for line in lines], np.int32)
    item, score = np.full((len(lines), TOP_N), -1, np.int32), np.zeros((len(lines), TOP_N))
    support = np.zeros((len(lines), TOP_N), np.int32)
    for row, line in enumerate(lines):
        for place, entry in enumerate(line):
            item[row, place], score[row, place], support[row, place] = entry
    return Ranking(size, item, score, support, list_digests(size, item, score, support))


def numbers(count: int) -> Any:
    """Return the first numbers."""
    return np.arange(count, dtype=np.int32)


def differs(tolerance: float, before: Lines, now: Lines) -> list[bool]:
    """Publish lists, and compare others with them."""
    lists = PublishedLists(TOP_N, tolerance)
    lists.reserve(len(before))
    lists.acknowledge(numbers(len(before)), ranking(*before))
    found: list[bool] = lists.differs(numbers(len(now)), ranking(*now)).tolist()
    return found


BEFORE = [(7, 0.5, 4), (2, 0.25, 3)]


@pytest.mark.parametrize(
    ("now", "with_tolerance"),
    [
        (BEFORE, False),
        ([(7, 0.5049, 4), (2, 0.2476, 3)], False),
        ([(7, 0.5, 5), (2, 0.25, 3)], False),
        ([(7, 0.5051, 4), (2, 0.25, 3)], True),
        ([(7, 0.5, 4), (2, 0.2474, 3)], True),
        ([(2, 0.5, 4), (7, 0.25, 3)], True),
        ([(7, 0.5, 4), (3, 0.25, 3)], True),
        ([(7, 0.5, 4)], True),
        ([*BEFORE, (9, 1e-9, 1)], True),
        ([(7, 0.5, 0), (2, 0.25, 0)], True),
        ([], True),
    ],
)
def test_a_list_differs_if_it_matters(now: list[Any], with_tolerance: bool) -> None:
    """Members, order, whether content is behind them, and scores by more than a hundredth."""
    assert differs(0.01, [BEFORE], [now]) == [with_tolerance]
    assert differs(0.0, [BEFORE], [now]) == [now != BEFORE]
    assert differs(0.01, [now], [now]) == [False]


def test_what_is_not_known_differs() -> None:
    """Also an empty list: the key may hold one."""
    for tolerance in (0.0, 0.01):
        lists = PublishedLists(TOP_N, tolerance)
        lists.reserve(2)
        lists.acknowledge(numbers(1), ranking([]))
        assert lists.differs(numbers(2), ranking([], [])).tolist() == [False, True]
        lists.invalidate(numbers(1))
        assert lists.differs(numbers(2), ranking([], [])).tolist() == [True, True]


def test_a_score_that_is_no_number_has_moved() -> None:
    """And one of the tiny scores that a half-life leaves is compared like any other."""
    one, nan = np.ones(1), np.full(1, np.nan)
    assert any_moved(one, nan, 0.01)
    assert any_moved(nan, one, 0.01)
    tiny = np.full(1, 1e-300)
    assert not any_moved(tiny, tiny * 1.009, 0.01)
    assert any_moved(tiny, tiny * 1.011, 0.01)
    assert not any_moved(np.zeros(0), np.zeros(0), 0.01)


scores = st.floats(1e-6, 1.0)
lines = st.lists(st.tuples(st.integers(0, 5), scores, st.integers(1, 3)), max_size=TOP_N)


@given(lines, lines, st.sampled_from([1e-6, 0.01, 0.5]))
def test_a_comparison_is_that_of_the_definition(
    before: list[Any], now: list[Any], tolerance: float
) -> None:
    """In a loop over the entries, and for the same members in any case."""
    assert differs(tolerance, [before], [now]) == [defined(before, now, tolerance)]
    again = [(item, score, support) for (item, *_), (_, score, support) in zip(before, now)]  # noqa: B905
    part = before[: len(again)]
    assert differs(tolerance, [part], [again]) == [defined(part, again, tolerance)]


def defined(before: list[Any], now: list[Any], tolerance: float) -> bool:
    """Return whether a list of counts differs."""
    if [item for item, *_ in before] != [item for item, *_ in now]:
        return True
    pairs = zip(before, now, strict=True)
    return any(abs(one[1] - other[1]) > tolerance * one[1] for one, other in pairs)


def user_list(*entries: tuple[str, float, str], seq: int = 1) -> bytes:
    """Return a list of a user: id, score and the item behind each entry; "" is trending."""
    items = [
        {"id": item, "score": score, "reason": "similar", "because": because}
        if because
        else {"id": item, "score": score, "reason": "trending"}
        for item, score, because in entries
    ]
    value = {"v": 1, "kind": "user", "id": "u", "seq": seq, "as_of": 1.0, "items": items}
    return json.dumps(value, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("now", "differ"),
    [
        (user_list(("x", 1.0, "a"), ("y", 0.0, ""), seq=2), False),
        (user_list(("x", 1.0099, "a"), ("y", 0.0, "")), False),
        (user_list(("x", 1.0101, "a"), ("y", 0.0, "")), True),
        (user_list(("x", 1.0, "b"), ("y", 0.0, "")), True),
        (user_list(("x", 1.0, "a"), ("y", 1e-12, "b")), True),
        (user_list(("x", 1.0, "a"), ("z", 0.0, "")), True),
        (user_list(("x", 1.0, "a")), True),
        (b"", True),
    ],
)
def test_a_list_of_a_user_differs_by_its_reasons_too(now: bytes, differ: bool) -> None:
    """Another item behind an entry is another entry."""
    before = user_list(("x", 1.0, "a"), ("y", 0.0, ""))
    assert content_differs(before, now, 0.01) is differ
    assert content_differs(b'{"seq":9}', before, 0.01)
    assert content_differs(before, now, 0.0) is (entries_of(now) != entries_of(before))


def test_no_list_equals_no_list() -> None:
    """With a tolerance and without."""
    for tolerance in (0.0, 0.01):
        assert not content_differs(b"", b"", tolerance)


@pytest.mark.parametrize("registry", [Registry(), RoleRegistry()])
def test_stored_lists_of_items_are_read_as_they_were_ranked(registry: Registry) -> None:
    """To the last bit, also in a kind of lists whose items have roles."""
    prefix = registry.listed_prefix
    row, some = ("v:" if prefix else ""), registry.number([f"{prefix}\u00e9{n}" for n in range(4)])
    owners = registry.number([f"{row}own{n}" for n in range(4)])
    made = ranking(
        [(int(some[3]), 1 / 3, 7), (int(some[0]), 1e-300, 1)],
        [],
        [(int(some[1]), 2 / 3, 0)],
        [(int(some[2]), 0.1, 2)] * TOP_N,
    )
    as_of = np.zeros(len(registry))
    contents = [one for _, one in encode_item_lists(owners, made, 5, as_of, registry)]
    held, found = decode_rankings(contents, registry, TOP_N)
    assert held.tolist() == [True] * 4
    for name in ("size", "item", "score", "support", "digest"):
        assert (getattr(found, name) == getattr(made, name)).all(), name
    assert found.of_content.tolist() == [False, False, True, False]


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"items":[]}', b'{"seq":3}'])
def test_a_list_that_cannot_be_read_is_not_held(content: bytes) -> None:
    """Neither is one of an unknown item, nor one that is too long."""
    registry = Registry("ab")
    entries = [{"id": "a", "score": 1.0, "support": 1}]
    unknown, long = (
        json.dumps({"items": some}).encode()
        for some in ([*entries, {"id": "zz", "score": 0.5, "support": 1}], entries * (TOP_N + 1))
    )
    right = json.dumps({"items": entries}).encode()
    held, found = decode_rankings([content, unknown, right, long], registry, TOP_N)
    assert held.tolist() == [False, False, True, False]
    assert found.size.tolist() == [0, 0, 1, 0]
    assert (found.item[~held] == -1).all()


def popular(**levels: float) -> list[Popular]:
    """Return popular items, with their popularity as of `NOW`; best first."""
    found = []
    for item, level in levels.items():
        mass, exponent = np.frexp(level)
        found.append(Popular(item, float(mass), int(exponent) + 2_000))
    return sorted(found, key=lambda one: one.order)


@pytest.mark.parametrize(
    ("half_lives", "now", "differ"),
    [
        (0, {"a": 8.0, "b": 4.0}, False),
        (0, {"a": 8.07, "b": 4.0}, False),
        (0, {"a": 8.09, "b": 4.0}, True),
        (0, {"a": 8.0, "b": 9.0}, True),
        (0, {"a": 8.0, "c": 4.0}, True),
        (0, {"a": 8.0}, True),
        (0, {}, True),
        (3, {"a": 8.0, "b": 4.0}, False),
        (3, {"a": 8.0, "b": 4.5}, True),
        (100, {"a": 8.0, "b": 4.0}, False),
        (101, {"a": 8.0, "b": 4.0}, True),
        (-1, {"a": 8.0, "b": 4.0}, True),
    ],
)
def test_a_list_of_trending_items_is_compared_at_its_own_time(
    half_lives: float, now: dict[str, float], differ: bool
) -> None:
    """Time alone changes nothing, until the list is a hundred half-lives old."""
    published = encode_trending(popular(a=8.0, b=4.0), NOW, 7, HALF_LIFE_S)
    as_of = NOW + half_lives * HALF_LIFE_S
    assert trending_differs(published, popular(**now), as_of, HALF_LIFE_S, 0.01) is differ


def test_a_list_of_trending_items_differs_from_none() -> None:
    """If it has entries; a value that is no list is replaced."""
    for now, differ in ((popular(), False), (popular(a=1.0), True)):
        assert trending_differs(b"", now, NOW, HALF_LIFE_S, 0.01) is differ
    assert trending_differs(b"{", popular(), NOW, HALF_LIFE_S, 0.01)
