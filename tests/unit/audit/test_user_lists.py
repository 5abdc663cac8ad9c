"""Comparing user lists: the true ones pass, and each fault is found and named."""

import json
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.audit.comparison import Comparison
from streamapp.audit.log import LogInteractions
from streamapp.audit.truth import live_ratings
from streamapp.audit.user_lists import ListUsers, StoredLists, compare_user_lists
from streamapp.core.lists.blending import BlendRule
from tests.support import oracle
from tests.support.oracle import Act
from tests.support.strategies import WEIGHTS, streams


class Entry(NamedTuple):
    """An entry of a user list."""

    item: str
    score: float
    because: str


Lists = dict[str, dict[str, float]]
"""By item: the score of each neighbour."""


def read(acts: list[Act]) -> LogInteractions:
    """Return acts as the audit reads them from a log."""
    users = {name: place for place, name in enumerate(dict.fromkeys(act.user for act in acts))}
    items = {name: place for place, name in enumerate(dict.fromkeys(act.item for act in acts))}
    return LogInteractions(
        users=list(users),
        items=list(items),
        user=np.array([users[act.user] for act in acts], np.int32),
        item=np.array([items[act.item] for act in acts], np.int32),
        weight=np.array([act.weight for act in acts]),
        ts=np.array([act.ts for act in acts]),
        skipped={},
        refused={},
    )


def true_lists(acts: list[Act], cap: int, lists: Lists, rule: BlendRule) -> dict[str, list[Entry]]:
    """Return the list of each user who has one, slowly."""
    result: dict[str, list[Entry]] = {}
    for user, history in oracle.histories(acts, cap).items():
        newest = sorted(history, key=lambda item: (history[item][1], item.encode()), reverse=True)
        seen = {item for item, (rating, _) in history.items() if rating >= rule.exclude_from}
        parts: dict[str, dict[str, float]] = {}
        for position, item in enumerate(newest[: rule.depth]):
            weight = (rule.fading or 0.0) ** position * (history[item][0] if rule.rated else 1.0)
            for other, score in lists.get(item, {}).items():
                if other not in seen:
                    parts.setdefault(other, {})[item] = weight * score
        entries = [
            Entry(other, sum(added.values()), max(added, key=lambda item: added[item]))
            for other, added in parts.items()
        ]
        if entries:
            entries.sort(key=lambda entry: (-entry.score, entry.item.encode()))
            result[user] = entries[: rule.top_n]
    return result


def encoded(user: str, entries: list[Entry]) -> bytes:
    """Return a list as frontends read it."""
    items = [{"id": one.item, "score": one.score, "reason": "similar", "because": one.because}
             for one in entries]  # fmt: skip
    return json.dumps({"v": 1, "kind": "user", "id": user, "seq": 1, "items": items}).encode()


def encoded_item(item: str, neighbours: dict[str, float]) -> bytes:
    """Return a list of an item as frontends read it."""
    items = [{"id": name, "score": score, "support": 1} for name, score in neighbours.items()]
    return json.dumps({"v": 1, "kind": "item", "id": item, "seq": 1, "items": items}).encode()


def encoded_trending(names: str) -> bytes:
    """Return a list of trending items: one letter is one item, the best first."""
    items = [{"id": name, "score": 9.0 - place} for place, name in enumerate(names)]
    return json.dumps({"v": 1, "kind": "trending", "id": "", "seq": 1, "items": items}).encode()


ACTS = [Act("u", "a", 1.0, 1.0), Act("u", "b", 5.0, 2.0), Act("u", "z", 1.0, 3.0),
        Act("v", "z", 1.0, 1.0), Act("w", "a", 1.0, 1.0)]  # fmt: skip
LISTS = {"a": {"p": 0.5, "r": 0.25, "s": 0.25}, "b": {"p": 0.25, "q": 0.5, "z": 0.75}}
RULE = BlendRule(top_n=3, depth=3, fading=0.5, rated=True)
Q, P, R, S = (Entry("q", 1.25, "b"), Entry("p", 0.75, "b"), Entry("r", 0.0625, "a"),
              Entry("s", 0.0625, "a"))  # fmt: skip
"""The newest item of u has no list, so the lists of b and a weigh 2.5 and 0.25. s has no rank left,
because it ties with r. z was seen."""


def compare(
    user: str,
    content: Any,
    audience: str = "uvw",
    leaving: str = "",
    rule: BlendRule = RULE,
    trending: str = "",
    tolerance: float = 0.0,
) -> Comparison:
    """Compare the true lists, but that of `user` replaced by `content`, or left if it is ()."""
    log = read(ACTS)
    true = true_lists(ACTS, 100, LISTS, rule)
    stored = {name: encoded(name, some) for name, some in true.items() if name in audience}
    if content != ():
        stored[user] = encoded(user, content) if isinstance(content, list) else content
    return compare_user_lists(
        log,
        live_ratings(log, 100),
        ListUsers(set(audience), set(leaving)),
        StoredLists(
            [stored.get(name) for name in log.users],
            {item: encoded_item(item, neighbours) for item, neighbours in LISTS.items()},
            encoded_trending(trending) if trending else b"",
        ),
        rule,
        tolerance,
    )


def test_the_true_list_of_this_file_is_that_of_the_definition() -> None:
    """By hand: the newest item adds nothing, and it keeps its rank."""
    assert true_lists(ACTS, 100, LISTS, RULE) == {
        "u": [Q, P, R],
        "w": [Entry("p", 0.5, "a"), Entry("r", 0.25, "a"), Entry("s", 0.25, "a")],
    }


@given(
    streams(),
    st.integers(1, 6),
    st.builds(
        BlendRule,
        top_n=st.sampled_from([1, 2, 50]),
        depth=st.integers(1, 7),
        fading=st.sampled_from([1.0, 0.5]),
        rated=st.booleans(),
        exclude_from=st.sampled_from([0.0, WEIGHTS[-1], np.inf]),
    ),
)
def test_true_lists_have_no_differences(acts: list[Act], cap: int, rule: BlendRule) -> None:
    """With any options; users whose items have no lists have no list."""
    found = oracle.lists(acts, cap, 50)
    lists = {item: {other: score for other, score, _ in found[item]} for item in found}
    true = true_lists(acts, cap, lists, rule)
    log = read(acts)
    result = compare_user_lists(
        log,
        live_ratings(log, cap),
        ListUsers(set(log.users), set()),
        StoredLists(
            [encoded(user, true[user]) if user in true else None for user in log.users],
            {item: encoded_item(item, neighbours) for item, neighbours in lists.items()},
            b"",
        ),
        rule,
    )
    assert (result.compared, result.examples) == (len(true), [])


def test_scores_that_tie_but_for_rounding_may_change_places() -> None:
    """Another order of the same sums; also at the end of the list."""
    assert compare("u", ()).different == 0
    assert compare("u", [Q, P, S]).different == 0
    assert compare("u", [Q, P._replace(score=0.75 + 1e-13), R]).different == 0
    both = BlendRule(top_n=4, depth=3, fading=0.5, rated=True)
    assert (
        compare("u", [Q, P, S._replace(score=np.nextafter(0.0625, 1)), R], rule=both).different == 0
    )


def test_with_a_tolerance_scores_may_be_older_than_members_and_order() -> None:
    """By a share of the listed score; the reason of an entry is exact."""
    older = [Q._replace(score=1.26), P._replace(score=0.745), R]
    assert compare("u", older).different == 1
    assert compare("u", older, tolerance=0.01).different == 0
    for wrong in (
        [Q._replace(score=1.27), P, R],
        [Q, P._replace(score=0.742), R],
        [Q, P._replace(because="a"), R],
        [Q, P, Entry("s", 0.0625, "b")],
    ):
        assert compare("u", wrong, tolerance=0.01).different == 1


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (None, "no list"),
        ([Q, P._replace(score=0.75 + 1e-8), R], "entry 2, p, scores 0.75000001"),
        ([P, Q, R], "entry 1, p, does not belong in this place"),
        ([Q, P], "not 3 entries that are similar"),
        ([], "not 3 entries that are similar"),
        ([Q, P, R, S], "filled with s"),
        ([Q, P, P], "one of them twice"),
        ([Q, P._replace(because="a"), R], "entry 2, p, is not there because of a first of all"),
        ([Q, P, R._replace(because="b")], "entry 3, r, is not there because of b first of all"),
        ([Q._replace(because="q"), P, R], "entry 1, q, is not there because of q first of all"),
        ([Entry("z", 1.875, "b"), Q, P], "entry 1, z, scores 1.875 instead of 0"),
        ([Entry("nothing", 1.25, "b"), P, R], "entry 1, nothing, scores 1.25 instead of 0"),
        (b"{", "unreadable (JSONDecodeError"),
        (b"[]", "unreadable (TypeError"),
        (b'{"v": 1, "kind": "user", "id": "u"}', "unreadable (KeyError: 'items')"),
        (encoded("w", [Q, P, R]), "unreadable (ValueError: v, kind and id are not what the key"),
        (encoded("u", [Q, P, R]).replace(b"similar", b"popular"), "not 3 entries that are"),
        (encoded("u", [Q, P, R]).replace(b'"user"', b'"item"'), "v, kind and id are not"),
    ],
)
def test_a_fault_is_found_and_named(content: Any, found: str) -> None:
    """Exactly one list differs, that of u."""
    result = compare("u", content)
    assert (result.compared, result.different) == (2, 1)
    (difference,) = result.examples
    assert difference.where == "list for u"
    assert found in difference.found
    assert difference.expected == "q 1.25, p 0.75, r 0.0625 ..."


def test_of_two_that_tie_the_one_whose_id_is_first_comes_first() -> None:
    """Byte order of ids is part of the total order."""
    both = BlendRule(top_n=4, depth=3, fading=0.5, rated=True)
    assert compare("u", [Q, P, R, S], rule=both).different == 0
    (difference,) = compare("u", [Q, P, S, R], rule=both).examples
    assert "entry 4, r, is behind one that it should precede" in difference.found


@pytest.mark.parametrize(
    ("user", "audience"),
    [("v", "uvw"), ("w", "uv")],
    ids=["nothing to show", "not in the audience"],
)
def test_a_list_that_should_not_be_there_is_found(user: str, audience: str) -> None:
    """For a user whose items have no lists, or who was not seen for long."""
    result = compare(user, [Entry("p", 0.5, "a")], audience)
    assert [(one.where, one.expected) for one in result.examples] == [
        (f"list for {user}", "no list")
    ]
    assert compare(user, (), audience).different == 0


def test_a_list_that_is_just_being_removed_may_be_there_or_not() -> None:
    """Its time has passed, but its owner has not removed it yet, or has just done so."""
    for content in ((), None, [Entry("p", 0.5, "a")]):
        result = compare("w", content, audience="uv", leaving="w")
        assert (result.compared, result.different) == (1, 0)


def test_where_only_what_was_bought_is_left_out_the_rest_of_the_history_is_listed() -> None:
    """And a list without it is wrong then."""
    rule = BlendRule(top_n=4, depth=3, fading=0.5, rated=True, exclude_from=5.0)
    seen = Entry("z", 1.875, "b")
    assert compare("u", [seen, Q, P, R], rule=rule).different == 0
    assert compare("u", [Q, P, R, S], rule=rule).different == 1


def filled(listed: list[Entry], names: str, **more: Any) -> bytes:
    """Return a list for w that is filled with items, one letter each."""
    value = json.loads(encoded("w", listed))
    value["items"] += [{"id": name, "score": 0.0, "reason": "trending"} | more for name in names]
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (filled([], "zq", because="a"), "filled with z, q"),
        (filled([], "qz"), "filled with q, z"),
        (filled([], "z"), "filled with z"),
        (filled([], "zqa"), "filled with z, q, a"),
        (filled([], "zq", score=0.5), "filled with z, q"),
        (filled([], "zq", reason="similar", because="a"), "filled with z, q"),
        (filled([Entry("z", 1.0, "a")], "q"), "filled with z, q"),
        (filled([], ""), "filled with nothing"),
        (None, "no list"),
    ],
)
def test_what_a_list_is_filled_with_is_compared_too(content: bytes | None, found: str) -> None:
    """In the order of trending, without items that were seen or are listed already."""
    rule = BlendRule(top_n=5, depth=3, fading=0.5, rated=True)
    mine = [Entry("p", 0.5, "a"), Entry("r", 0.25, "a"), Entry("s", 0.25, "a")]
    whole = filled(mine, "zq")
    assert json.loads(whole)["items"][3] == {"id": "z", "score": 0.0, "reason": "trending"}
    result = compare("w", whole, audience="w", leaving="uv", rule=rule, trending="azpq")
    assert (result.compared, result.different) == (1, 0)

    if content is not None:
        value, wrong = json.loads(whole), json.loads(content)["items"]
        content = json.dumps(value | {"items": value["items"][:3] + wrong}).encode()
    result = compare("w", content, audience="w", leaving="uv", rule=rule, trending="azpq")
    (difference,) = result.examples
    assert found in difference.found


def test_an_empty_list_is_no_list() -> None:
    """If there is nothing to show, there is no key."""
    assert [one.found for one in compare("v", []).examples] == ["a list"]
