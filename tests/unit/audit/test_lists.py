"""Comparing lists: the true ones pass, in any order of ties, and each fault is found."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.audit.comparison import Comparison
from streamapp.audit.lists import compare_lists
from streamapp.core.list_kinds import BOUGHT_AFTER_VIEW, ITEM
from streamapp.core.lists.ranking import MEASURES, ListRule, Measure
from streamapp.inspection.counts_merge import Counts
from tests.support import oracle
from tests.support.oracle import Act
from tests.support.strategies import streams


def counts_of(
    acts: list[Act], cap: int, listed: Callable[[str, str], bool] = oracle.other
) -> Counts:
    """Return the oracle's counts in the form of a snapshot, of the pairs that may be listed."""
    items, dots, supports = oracle.gram(acts, cap)
    pairs = supports * [[listed(left, right) for right in items] for left in items]
    rows, others = np.nonzero(pairs)
    return Counts(
        items=items,
        sum_sq=dots.diagonal(),
        users=supports.diagonal().astype(np.int64),
        indptr=np.concatenate(([0], np.cumsum((pairs > 0).sum(axis=1)))).astype(np.int64),
        indices=others.astype(np.int32),
        dot=dots[rows, others],
        support=supports[rows, others].astype(np.int32),
    )


def encoded(item: str, entries: list[tuple[str, float, int]], kind: str = ITEM) -> bytes:
    """Return a list as frontends read it."""
    items = [{"id": one, "score": score, "support": support} for one, score, support in entries]
    return json.dumps({"v": 1, "kind": kind, "id": item, "seq": 1, "items": items}).encode()


ACTS = [
    Act(user, item, 1.0, 1.0)
    for user, items in {"u": "abc", "v": "abd", "w": "abe", "x": "ab", "y": "f"}.items()
    for item in items
]
COUNTS = counts_of(ACTS, 100)
RULE = ListRule(top_n=3)


def compare(item: str, entries: Any, rule: ListRule = RULE, tolerance: float = 0.0) -> Comparison:
    """Compare the true lists, but that of `item` replaced by `entries`."""
    true = oracle.lists(ACTS, 100, rule.top_n, rule.damping, rule.min_support)
    lists = {name: encoded(name, some) for name, some in true.items()}
    lists[item] = encoded(item, entries) if isinstance(entries, list) else entries
    contents = [lists.get(name) for name in COUNTS.items]
    return compare_lists(COUNTS, contents, rule, tolerance=tolerance)


def true_list(item: str) -> list[tuple[str, float, int]]:
    """Return the true list of an item: b, then c before d before e, which tie."""
    return oracle.lists(ACTS, 100, RULE.top_n)[item]


@pytest.mark.parametrize("measure", MEASURES)
@given(
    streams(),
    st.integers(1, 6),
    st.integers(1, 5),
    st.integers(1, 2),
    st.sampled_from([0, 2]),
    st.data(),
)
def test_true_lists_have_no_differences(
    measure: Measure,
    acts: list[Act],
    cap: int,
    top_n: int,
    min_support: int,
    damping: float,
    data: st.DataObject,
) -> None:
    """With any options and any hidden items; items without neighbours have no list."""
    counts = counts_of(acts, cap)
    hidden = data.draw(st.sets(st.sampled_from([*counts.items, "unknown"])))
    true = oracle.lists(acts, cap, top_n, damping, min_support, measure, hidden)
    lists = [encoded(item, true[item]) if item in true else None for item in counts.items]

    result = compare_lists(
        counts, lists, ListRule(top_n, damping, min_support, measure), hidden=hidden
    )
    assert (result.compared, result.examples) == (len(true), [])


VISITS = [
    Act(user, f"{'b' if bought else 'v'}:{item}", 1.0, 1.0)
    for user, seen, bought_items in (("u", "ab", "bc"), ("v", "a", "b"), ("w", "abc", ""))
    for bought, items in ((False, seen), (True, bought_items))
    for item in items
]
"""b was bought by both who bought something, and c by one; all users viewed a."""


def bought_after_view(lists: dict[str, bytes | None], hidden: frozenset[str]) -> Comparison:
    """Compare lists of items bought after views, some replaced; no user viewed x."""
    counts = counts_of(VISITS, 100, oracle.bought_after_view)
    true = oracle.lists(VISITS, 100, 3, hidden=hidden, pairs=oracle.bought_after_view)
    contents: list[bytes | None] = [
        encoded(item[2:], [(one[2:], score, n) for one, score, n in true[item]], BOUGHT_AFTER_VIEW)
        if item in true
        else None
        for item in counts.items
    ]
    for item, content in lists.items():
        contents[counts.items.index(item)] = content
    return compare_lists(counts, contents, ListRule(3), BOUGHT_AFTER_VIEW, hidden)


@pytest.mark.parametrize("hidden", [frozenset[str](), frozenset({"b:b"}), frozenset({"v:b"})])
def test_true_lists_with_a_direction_have_no_differences(hidden: frozenset[str]) -> None:
    """Lists have ids without roles; a hidden item is hidden as a bought item."""
    result = bought_after_view({}, hidden)
    assert (result.compared, result.examples) == (2, [])


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([("b", (2 / 3) ** 0.5, 2), ("a", 0.5, 1)], "is no item"),
        ([("v:b", (2 / 3) ** 0.5, 2), ("c", 1 / 3**0.5, 1)], "is no item"),
        ([("c", 1 / 3**0.5, 1), ("b", (2 / 3) ** 0.5, 2)], "does not belong in this place"),
        ([("b", (2 / 3) ** 0.5, 2)], "1 entries"),
    ],
)
def test_a_fault_of_a_list_with_a_direction_is_found_and_named(
    entries: list[tuple[str, float, int]], found: str
) -> None:
    """Also if it names an item that was only viewed."""
    result = bought_after_view({"v:a": encoded("a", entries, BOUGHT_AFTER_VIEW)}, frozenset())
    assert result.different == 1
    assert result.examples[0].where.startswith("list of v:a")
    assert found in result.examples[0].found


def test_an_item_that_is_listed_as_bought_after_its_own_view_is_found() -> None:
    """Every buyer of an item has viewed it, so it would lead its own list."""
    entries = [("b", 1 / 2, 1), ("c", 1 / 2**0.5, 1)]
    result = bought_after_view({"v:b": encoded("b", entries, BOUGHT_AFTER_VIEW)}, frozenset())
    assert "shares too few users with it" in result.examples[0].found or "2 entries" in (
        result.examples[0].found
    )


def test_scores_that_tie_but_for_rounding_may_change_places() -> None:
    """Another order of the same operations puts d in front of c by its last digit."""
    b, c, d = true_list("a")
    assert (c[0], d[0], c[1]) == ("c", "d", d[1])

    assert compare("a", [b, (d[0], np.nextafter(d[1], 1), d[2]), c]).different == 0
    assert compare("a", [b, (d[0], d[1] + 1e-13, d[2]), ("e", c[1], 1)]).different == 0


def test_with_a_tolerance_scores_and_support_may_be_older_than_members_and_order() -> None:
    """The true score differs by a share of the listed one."""
    older = [("b", 0.9905, 3), ("c", 0.505, 1), ("d", 0.4951, 2)]
    assert compare("a", older).different == 1
    assert compare("a", older, tolerance=0.01).different == 0


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([("b", 0.99, 4), ("c", 0.5, 1), ("d", 0.5, 1)], "has another score"),
        ([("b", 1.0, 4), ("c", 0.5051, 1), ("d", 0.5, 1)], "has another score"),
        ([("b", 1.0, 4), ("c", 0.5, 0), ("d", 0.5, 1)], "has another support"),
        ([("b", 1.0, 4), ("c", 0.5, -1), ("d", 0.5, 1)], "has another support"),
        ([("b", 1.0, 4), ("d", 0.5, 1), ("c", 0.5, 1)], "which is behind"),
        ([("b", 1.0, 4), ("c", 0.499, 1), ("d", 0.501, 1)], "which is behind"),
        ([("b", 1.0, 4), ("c", 0.5, 1)], "2 entries"),
    ],
)
def test_with_a_tolerance_everything_else_is_exact(entries: Any, found: str) -> None:
    """Also the order of what a list says itself."""
    result = compare("a", entries, tolerance=0.01)
    assert result.different == 1
    assert found in result.examples[0].found


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([("b", 1.0, 4), ("d", 0.5, 1), ("c", 0.5, 1)], "c 0.5 of 1 users, which is behind"),
        ([("b", 1.0, 4), ("c", 0.5 + 1e-8, 1), ("d", 0.5, 1)], "has another score"),
        ([("b", 1.0, 4), ("c", 0.5, 2), ("d", 0.5, 1)], "has another support"),
        ([("c", 0.5, 1), ("b", 1.0, 4), ("d", 0.5, 1)], "does not belong in this place"),
        ([("a", 1.0, 4), ("c", 0.5, 1), ("d", 0.5, 1)], "is the item itself"),
        ([("b", 1.0, 4), ("b", 1.0, 4), ("d", 0.5, 1)], "is there twice"),
        ([("b", 1.1, 4), ("c", 0.5, 1), ("d", 0.5, 1)], "scores over 1"),
        ([("b", 1.0, 4), ("f", 0.5, 1), ("d", 0.5, 1)], "shares too few users with it"),
        ([("b", 1.0, 4), ("zz", 0.5, 1), ("d", 0.5, 1)], "is no item"),
        ([("b", 1.0, 4), ("c", 0.5, 1)], "2 entries"),
        ([("b", 1.0, 4), ("c", 0.5, 1), ("d", 0.5, 1), ("e", 0.5, 1)], "4 entries"),
        (None, "no list"),
        (b"{", "unreadable (JSONDecodeError"),
        (encoded("b", []), "unreadable (ValueError: v, kind and id are not what the key says)"),
        (b'{"v": 1, "kind": "item", "id": "a"}', "unreadable (KeyError: 'items')"),
    ],
)
def test_a_fault_is_found_and_named(entries: Any, found: str) -> None:
    """Exactly one list differs, that of a."""
    result = compare("a", entries)

    assert result.different == 1
    (difference,) = result.examples
    assert difference.where.startswith("list of a")
    assert found in difference.found


def test_a_list_that_shows_what_is_hidden_is_found() -> None:
    """All that have it, and none of those that need not be refilled."""
    true = oracle.lists(ACTS, 100, RULE.top_n)
    lists = [encoded(name, true[name]) if name in true else None for name in COUNTS.items]
    result = compare_lists(COUNTS, lists, RULE, hidden={"b"})
    holding = [name for name, entries in true.items() if "b" in [item for item, _, _ in entries]]
    assert result.different == len(holding) == 4
    assert "which is hidden" in result.examples[0].found


@pytest.mark.parametrize("measure", ["jaccard", "confidence"])
def test_lists_by_another_measure_are_found(measure: Measure) -> None:
    """A state differs if it is audited under another measure than that of its lists."""
    lists = [encoded(name, true_list(name)) if name != "f" else None for name in COUNTS.items]

    assert compare_lists(COUNTS, lists, RULE).different == 0
    assert compare_lists(COUNTS, lists, ListRule(RULE.top_n, measure=measure)).different > 0


def test_a_list_that_should_not_be_there_is_found() -> None:
    """No user of f has another item."""
    result = compare("f", [("a", 0.1, 1)])

    assert [(one.where, one.found, one.expected) for one in result.examples] == [
        ("list of f", "1 entries", "no list")
    ]


def test_a_pair_below_the_minimum_support_does_not_belong() -> None:
    """If two users are needed, a and b have only each other."""
    rule = ListRule(top_n=3, min_support=2)

    assert compare("a", [("b", 1.0, 4)], rule).different == 0
    assert compare("a", [("c", 0.5, 1)], rule).different == 1
