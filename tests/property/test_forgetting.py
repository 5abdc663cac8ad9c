"""A forgotten user leaves counts as if the user had never been there."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from streamapp.core.histories.history import newest_ts
from streamapp.core.lists.ranking import ListRule
from tests.property.test_equivalence import KINDS, acts_of, assert_equal_to_truth
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline
from tests.support.strategies import portions, streams

FORGET_AFTER_S = 5.0


def check(pipeline: Pipeline, acts: list[Act]) -> None:
    """Compare the state of a pipeline after all its input with the truth of these acts."""
    for shard in range(pipeline.shards):
        pipeline.drain(shard)
    assert_equal_to_truth(pipeline, acts)


@pytest.mark.parametrize("kind", KINDS)
@given(st.data(), streams(), st.integers(1, 6), st.integers(1, 3))
def test_a_history_begins_again_after_a_long_pause(
    kind: str, data: st.DataObject, acts: list[Act], cap: int, shards: int
) -> None:
    """At every prefix, also with late events and full histories."""
    pipeline = Pipeline(shards, cap, ListRule(5), forget_after_s=FORGET_AFTER_S, kind=kind)
    done: list[Act] = []
    for part in data.draw(portions(acts_of(kind, acts))):
        pipeline.take(part)
        done += part
        check(pipeline, done)


@pytest.mark.parametrize("kind", KINDS)
@given(st.data(), streams(), st.integers(1, 6), st.integers(1, 3))
def test_forgetting_takes_away_exactly_what_the_user_added(
    kind: str, data: st.DataObject, acts: list[Act], cap: int, shards: int
) -> None:
    """Counts are those of the other users; a forgotten user who returns is new."""
    pipeline = Pipeline(shards, cap, ListRule(5), forget_after_s=FORGET_AFTER_S, kind=kind)
    remembered: list[Act] = []
    users = sorted({act.user for act in acts})
    for part in data.draw(portions(acts_of(kind, acts))):
        pipeline.take(part)
        gone = data.draw(st.lists(st.sampled_from(users), unique=True))
        pipeline.forget(gone)
        remembered = [act for act in [*remembered, *part] if act.user not in gone]
        check(pipeline, remembered)
        assert not any(pipeline.histories.get(user) for user in gone)


@given(streams())
def test_who_is_idle_for_twice_as_long_may_be_forgotten_without_a_trace(acts: list[Act]) -> None:
    """Later events of such a user always begin a new history."""
    pipeline = Pipeline(2, 4, ListRule(5), forget_after_s=FORGET_AFTER_S)
    ordered = sorted(acts, key=lambda act: act.ts)
    for place, act in enumerate(ordered):
        pipeline.take([act])
        idle = [
            user
            for user, history in pipeline.histories.items()
            if history and newest_ts(history) < act.ts - 2 * FORGET_AFTER_S
        ]
        pipeline.forget(idle)
        check(
            pipeline,
            [other for other in ordered[: place + 1] if pipeline.histories[other.user]],
        )
