"""Popularity that fades: in any order and grouping, it is the sum over all interactions."""

import math
from collections import defaultdict
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamapp.core.ids.registry import Registry
from streamapp.core.messages.popularity_increments import (
    PopularityIncrements,
    popularity_increments,
)
from streamapp.core.trending.popularity import POPULARITY, Popularity

YEAR_S = 365 * 86_400.0
START = 1_700_000_000.0

acts = st.lists(
    st.tuples(
        st.integers(0, 7),
        st.sampled_from([1.0, 3.0, 5.0, 0.25]),
        st.one_of(st.floats(0, 100), st.floats(0, 10 * YEAR_S)),
    ),
    min_size=1,
    max_size=60,
)
half_lives = st.sampled_from([3_600.0, 86_400.0, 777.7, 30 * 86_400.0])
Act = tuple[int, float, float]


def masses(some: list[Act], half_life_s: float) -> PopularityIncrements:
    """Return what some interactions add."""
    item, weight, ts = (np.array(column) for column in zip(*some, strict=True))
    return popularity_increments(item.astype(np.int32), weight, START + ts, half_life_s, 8)


def truth(some: list[Act], half_life_s: float) -> dict[str, float]:
    """Return each item's popularity at the newest event, summed with no loss."""
    newest = max(ts for _, _, ts in some)
    parts: dict[str, list[float]] = defaultdict(list)
    for item, weight, ts in some:
        parts[f"i{item}"].append(weight * 2 ** ((ts - newest) / half_life_s))
    return {item: math.fsum(values) for item, values in parts.items()}


def registry() -> Registry:
    """Return eight items."""
    return Registry([f"i{number}" for number in range(8)])


def check(found: Popularity, some: list[Act], half_life_s: float) -> None:
    """Compare the most popular items with the truth."""
    expected = truth(some, half_life_s)
    newest = START + max(ts for _, _, ts in some)
    assert found.newest_ts == newest
    shown = [(one.item, one.at(newest, half_life_s)) for one in found.top]
    # A popularity that ten years of an hour's half-life made nothing is there, with a score of 0.
    assert len(shown) == min(found.top_n, len(expected))
    best = sorted(expected.values(), reverse=True)
    for (item, score), wanted in zip(shown, best, strict=False):
        assert math.isclose(score, expected[item], rel_tol=1e-9, abs_tol=1e-300)
        assert math.isclose(score, wanted, rel_tol=1e-9, abs_tol=1e-300)


@given(acts, half_lives, st.integers(1, 8), st.data())
def test_several_deltas_at_once_give_the_top_of_the_sum(
    some: list[Act], half_life_s: float, top_n: int, data: st.DataObject
) -> None:
    """An item may have an increment of each delta, and is in the top once."""
    cuts = sorted(data.draw(st.sets(st.integers(1, len(some)), max_size=6)) | {0, len(some)})
    parts = [masses(some[start:end], half_life_s) for start, end in pairwise(cuts)]
    together = PopularityIncrements(
        np.concatenate([one.item for one in parts]),
        np.concatenate([one.mass for one in parts]),
        np.concatenate([one.exponent for one in parts]),
        max(one.newest_ts for one in parts),
    )
    found = Popularity(top_n=top_n)
    found.reserve(8)
    found.add(together, 0, registry())
    check(found, some, half_life_s)


@given(acts, half_lives, st.data())
def test_after_every_delta_the_top_is_that_of_the_sum(
    some: list[Act], half_life_s: float, data: st.DataObject
) -> None:
    """Includes late events and events of ten years later, cut anywhere."""
    cuts = sorted(data.draw(st.sets(st.integers(1, len(some)), max_size=6)) | {0, len(some)})
    found = Popularity(top_n=3)
    found.reserve(8)
    for offset, (start, end) in enumerate(pairwise(cuts)):
        found.add(masses(some[start:end], half_life_s), offset, registry())
        check(found, some[:end], half_life_s)


@given(acts, half_lives, st.data())
def test_what_is_stored_ahead_is_not_added_again(
    some: list[Act], half_life_s: float, data: st.DataObject
) -> None:
    """A worker dies between its records and its position; the next one reads the deltas again."""
    before = Popularity(top_n=3)
    before.reserve(8)
    stored_at = data.draw(st.integers(0, len(some)))
    for offset, act in enumerate(some[:stored_at]):
        before.add(masses([act], half_life_s), offset, registry())
    stored = dict(before.packed_changes(stored_at))
    ahead = data.draw(st.integers(stored_at, len(some)))
    for offset, act in enumerate(some[stored_at:ahead], stored_at):
        before.add(masses([act], half_life_s), offset, registry())
    changes = before.packed_changes(ahead)
    stored |= dict(changes[: data.draw(st.integers(0, len(changes)))])
    packed = np.zeros(max(stored, default=-1) + 1, POPULARITY)
    for number, record in stored.items():
        packed[number] = np.frombuffer(record, POPULARITY)[0]

    # The names of new items were to be stored with the position.
    known = 1 + max((item for item, _, _ in some[:stored_at]), default=-1)
    after = Popularity.unpack(packed.tobytes(), 3, Registry(registry().ids[:known]))
    after.reserve(8)
    after.newest_ts = START + max((ts for _, _, ts in some[:stored_at]), default=-math.inf)
    for offset, act in enumerate(some[stored_at:], stored_at):
        after.add(masses([act], half_life_s), offset, registry())
    check(after, some, half_life_s)


def test_equal_popularity_is_ordered_by_id() -> None:
    """In byte order."""
    found = Popularity(top_n=5)
    found.reserve(8)
    found.add(masses([(item, 1.0, 0.0) for item in (3, 1, 2)], 60.0), 0, registry())
    assert [one.item for one in found.top] == ["i1", "i2", "i3"]


def test_ten_years_of_clicks_neither_overflow_nor_lose_the_present() -> None:
    """A click a day with a half-life of ten minutes: far more than 1,000 half-lives."""
    found = Popularity(top_n=2)
    found.reserve(8)
    some = [(day % 3, 1.0, day * 86_400.0) for day in range(3_650)]
    for offset, act in enumerate(some):
        found.add(masses([act], 600.0), offset, registry())
    check(found, some, 600.0)
    assert found.top[0].at(found.newest_ts, 600.0) == 1.0
