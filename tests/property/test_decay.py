"""Where interactions fade, lists equal the plain definition in any order, for any number of years."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from streamapp.core.decay import Decay
from streamapp.core.ranking import Rule
from tests import oracle
from tests.oracle import Act
from tests.pipeline import Pipeline
from tests.strategies import WEIGHTS, ids, portions

YEAR_S = 365.25 * 86_400
HALF_LIVES_S = (3_600.0, 86_400.0, 30 * 86_400.0, 10 * YEAR_S)
START = 1_400_000_000.0


@st.composite
def years(draw: st.DrawFn) -> list[Act]:
    """Draw acts of a few users on a few items, over ten years, early and late, some at one time."""
    users = draw(st.lists(ids, min_size=1, max_size=4, unique=True))
    items = draw(st.lists(ids, min_size=1, max_size=6, unique=True))
    ages = st.one_of(
        st.floats(0, 10 * YEAR_S), st.integers(0, 40).map(lambda hours: hours * 3_600.0)
    )
    act = st.builds(
        Act,
        user=st.sampled_from(users),
        item=st.sampled_from(items),
        weight=st.sampled_from([*WEIGHTS, 0.1]),
        ts=ages.map(lambda age: START + age),
    )
    return draw(st.lists(act, min_size=1, max_size=40))


def assert_as_defined(
    pipeline: Pipeline, want: dict[str, list[tuple[str, float, int]]], top_n: int
) -> None:
    """Compare lists with those of the oracle, of all neighbours: scores to 1e-9, support, order."""
    got = pipeline.lists()
    assert set(got) == set(want)
    for item, entries in got.items():
        true = {other: (score, support) for other, score, support in want[item]}
        best = want[item][:top_n]
        assert len(entries) == len(best)
        for place, (other, score, support) in enumerate(entries):
            assert support == true[other][1]
            assert score == pytest.approx(true[other][0], rel=0, abs=1e-9)
            assert score == pytest.approx(best[place][1], rel=0, abs=1e-9)
        order = [(-score, other.encode()) for other, score, _ in entries]
        assert order == sorted(order)
        assert len({other for other, _, _ in entries}) == len(entries)


def drain(pipeline: Pipeline) -> None:
    """Apply all that shards have not applied."""
    for shard in range(pipeline.shards):
        pipeline.drain(shard)


@given(
    st.data(), years(), st.integers(1, 6), st.integers(1, 3), st.sampled_from(HALF_LIVES_S),
    st.sampled_from([np.inf, YEAR_S]),
)  # fmt: skip
def test_lists_equal_the_definition_at_every_prefix(
    data: st.DataObject, acts: list[Act], cap: int, shards: int, half_life_s: float, forget_s: float
) -> None:
    """Late and early events, evictions, purchases after clicks, and users who begin anew."""
    top_n = data.draw(st.integers(1, 5))
    pipeline = Pipeline(
        shards, cap, Rule(top_n), decay=Decay(half_life_s), forget_after_s=forget_s
    )
    done: list[Act] = []
    for part in data.draw(portions(acts)):
        pipeline.take(part)
        done += part
        drain(pipeline)
        want = oracle.faded(done, cap, half_life_s, 100, forget_after_s=forget_s)
        assert_as_defined(pipeline, want, top_n)


@given(st.data(), years(), st.integers(1, 6), st.sampled_from(HALF_LIVES_S))
def test_who_is_forgotten_leaves_nothing(
    data: st.DataObject, acts: list[Act], cap: int, half_life_s: float
) -> None:
    """What stays is as if the others never were, down to the oldest contribution."""
    pipeline = Pipeline(2, cap, Rule(100), decay=Decay(half_life_s))
    pipeline.take(acts)
    users = sorted({act.user for act in acts})
    gone = data.draw(st.sets(st.sampled_from(users)))
    pipeline.forget(sorted(gone))
    drain(pipeline)
    want = oracle.faded(acts, cap, half_life_s, 100, forgotten=gone)
    assert_as_defined(pipeline, want, 100)
    for shard in pipeline.rows:
        held = shard.norms.users > 0
        assert (shard.norms.sum_sq[held] >= 1).all()
        assert not shard.norms.sum_sq[~held].any()
