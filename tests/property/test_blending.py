"""User lists: the compiled blend against sums over dictionaries, entry by entry."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.core.histories.profiles import Profiles
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.blending import BlendRule, NeighbourLists, blend
from streamapp.core.lists.ranking import ListRule
from tests.support.oracle import Act, histories
from tests.support.pipeline import Pipeline
from tests.support.strategies import WEIGHTS, ids, streams

CAP = 6
ALL = 50

Lists = dict[str, dict[str, float]]
"""By item: the score of each neighbour."""

blends = st.builds(
    BlendRule,
    top_n=st.sampled_from([1, 2, 3, ALL]),
    depth=st.integers(1, CAP + 1),
    fading=st.sampled_from([None, 1.0, 0.5, 0.0]),
    rated=st.booleans(),
    exclude_from=st.sampled_from([0.0, WEIGHTS[-1], math.inf]),
)


class Shop(NamedTuple):
    """The lists of some items, and histories: (item, rating), newest first."""

    items: list[str]
    lists: Lists
    histories: list[list[tuple[str, float]]]


@st.composite
def shops(draw: st.DrawFn) -> Shop:
    """Draw lists that some items lack, with scores that tie, and histories over all items."""
    items = draw(st.lists(ids, min_size=1, max_size=8, unique=True))
    scores = st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5, 1.0])
    lists = draw(
        st.dictionaries(st.sampled_from(items), st.dictionaries(st.sampled_from(items), scores))
    )
    entry = st.tuples(st.sampled_from([*items, "unknown"]), st.sampled_from(WEIGHTS))
    history = st.lists(entry, max_size=CAP, unique_by=lambda entry: entry[0])
    return Shop(items, lists, draw(st.lists(history, max_size=4)))


def neighbours(lists: Lists, registry: Registry) -> NeighbourLists:
    """Return lists in the form of the kernel: in some order, as short as possible."""
    row = np.full(max(map(registry.find, lists), default=-1) + 1, -1, np.int32)
    row[[registry.find(item) for item in lists]] = np.arange(len(lists))
    entries = [entry for listed in lists.values() for entry in listed.items()]
    ends = np.cumsum([0, *map(len, lists.values())], dtype=np.int64)
    return NeighbourLists(
        row,
        ends[:-1],
        ends[1:],
        np.array([registry.find(item) for item, _ in entries], np.int32),
        np.array([score for _, score in entries], np.float64),
    )


def blended(shop: Shop, rule: BlendRule) -> list[list[tuple[str, float, str]]]:
    """Return the list of each history: (item, score, because)."""
    registry = Registry(shop.items)
    entries = [entry for history in shop.histories for entry in history]
    profiles = Profiles(
        np.cumsum([0, *map(len, shop.histories)], dtype=np.int64),
        np.array([registry.find(item) for item, _ in entries], np.int32),
        np.array([rating for _, rating in entries], np.float64),
    )
    result = blend(profiles, neighbours(shop.lists, registry), registry, rule)
    assert not registry.scratch.any()
    for line, size in enumerate(result.size):
        assert (result.item[line, size:] == -1).all()
        assert (result.because[line, size:] == -1).all()
        assert not result.score[line, size:].any()
    return [
        [
            (registry.ids[item], score, registry.ids[because])
            for item, score, because in zip(items[:size], scores, becauses, strict=False)
        ]
        for size, items, scores, becauses in zip(*(part.tolist() for part in result), strict=True)
    ]


def summed(
    shop: Shop, history: list[tuple[str, float]], rule: BlendRule
) -> list[tuple[str, float, str]]:
    """Return the same of one history, slowly."""
    excluded = {item for item, rating in history if rating >= rule.exclude_from}
    scores: dict[str, float] = {}
    added: dict[str, list[tuple[float, int, str]]] = {}
    for position, (item, rating) in enumerate(history[: rule.depth]):
        weight = 1 / (position + 1) if rule.fading is None else rule.fading**position
        for other, score in shop.lists.get(item, {}).items():
            value = weight * (rating if rule.rated else 1.0) * score
            scores[other] = scores.get(other, 0.0) + value
            added.setdefault(other, []).append((value, -position, item))
    listed = [
        (other, score, max(added[other])[2])
        for other, score in scores.items()
        if score > 0 and other not in excluded
    ]
    return sorted(listed, key=lambda entry: (-entry[1], entry[0].encode()))[: rule.top_n]


@given(shops(), blends)
def test_a_list_is_the_sum_of_lists_to_the_last_bit_in_the_total_order(
    shop: Shop, rule: BlendRule
) -> None:
    """Every item over 0 that is not excluded, best first, then by id; with its largest addend."""
    assert blended(shop, rule) == [summed(shop, history, rule) for history in shop.histories]


@given(streams())
def test_histories_are_unpacked_newest_first(acts: list[Act]) -> None:
    """By time, then by id in byte order: the last one is the next to be evicted."""
    pipeline = Pipeline(1, CAP, ListRule(top_n=ALL))
    pipeline.take(acts)
    registry, kept = pipeline.registry, histories(acts, CAP)
    profiles = Profiles.unpack([pipeline.histories[user] for user in kept], registry)
    for start, end, history in zip(
        profiles.starts, profiles.starts[1:], kept.values(), strict=False
    ):
        newest = sorted(history, key=lambda item: (history[item][1], item.encode()), reverse=True)
        assert [registry.ids[item] for item in profiles.item[start:end]] == newest
        assert profiles.rating[start:end].tolist() == [history[item][0] for item in newest]


@given(streams())
def test_the_list_of_one_item_is_the_list_that_is_published_for_it(acts: list[Act]) -> None:
    """To the last bit: a blend of fewer items loses only the rest."""
    pipeline = Pipeline(1, CAP, ListRule(top_n=ALL))
    pipeline.take(acts)
    pipeline.drain(0)
    published = pipeline.lists()
    lists = {item: {other: score for other, score, _ in published[item]} for item in published}
    newest = [[(item, 1.0)] for item in published]
    shop = Shop(list({act.item: None for act in acts}), lists, newest)
    for item, got in zip(published, blended(shop, BlendRule(ALL, depth=1)), strict=True):
        assert got == [(other, score, item) for other, score, _ in published[item]]


def test_a_bought_item_leaves_the_list_and_one_that_was_looked_at_stays() -> None:
    """If only purchases are excluded; also beyond the depth, and without a list of its own."""
    shop = Shop(["a", "b", "c"], {"a": {"b": 0.5, "c": 0.5}}, [[("a", 1), ("b", 5), ("c", 1)]])
    assert blended(shop, BlendRule(ALL, depth=1, exclude_from=5)) == [[("c", 0.5, "a")]]


def test_the_newest_of_those_that_add_as_much_is_the_reason() -> None:
    """A larger addend behind it is a better reason."""
    lists = {"a": {"x": 0.5}, "b": {"x": 0.5}, "c": {"x": 0.75}}
    histories = [[("a", 1.0), ("b", 1.0)], [("a", 1.0), ("b", 1.0), ("c", 1.0)]]
    got = blended(Shop(["a", "b", "c", "x"], lists, histories), BlendRule(ALL, depth=3))
    assert got == [[("x", 1.0, "a")], [("x", 1.75, "c")]]


@pytest.mark.parametrize("unknown", [-1, 1, 1_000_000])
def test_an_item_without_a_list_holds_its_position(unknown: int) -> None:
    """Items behind it weigh as much as if it had a list."""
    registry = Registry(["a", "b"])
    profiles = Profiles(np.array([0, 2]), np.array([unknown, 0], np.int32), np.ones(2))
    rule = BlendRule(2, depth=2, fading=0.5, exclude_from=math.inf)
    result = blend(profiles, neighbours({"a": {"b": 1.0}}, registry), registry, rule)
    assert result.size.tolist() == [1]
    assert result.score[0, 0] == 0.5
