"""A user who is forgotten leaves counts as if the user had never been there."""

import hypothesis.strategies as st
from hypothesis import given

from streamapp.core.history import newest_ts
from streamapp.core.ranking import Rule
from tests import oracle
from tests.oracle import Act
from tests.pipeline import Pipeline
from tests.strategies import portions, streams

FORGET_AFTER_S = 5.0


def truth(acts: list[Act], cap: int) -> dict[tuple[str, str], tuple[float, float]]:
    """Return (dot, support) by pair of items."""
    items, dots, supports = oracle.gram(acts, cap, FORGET_AFTER_S)
    return {
        (left, right): (dots[i, j], supports[i, j])
        for i, left in enumerate(items)
        for j, right in enumerate(items)
        if supports[i, j]
    }


def counts(pipeline: Pipeline) -> dict[tuple[str, str], tuple[float, float]]:
    """Return the same of a pipeline."""
    for shard in range(pipeline.shards):
        pipeline.drain(shard)
    dots, supports = pipeline.counts()
    return {pair: (dot, supports[pair]) for pair, dot in dots.items()}


@given(st.data(), streams(), st.integers(1, 6), st.integers(1, 3))
def test_a_history_begins_anew_after_a_long_pause(
    data: st.DataObject, acts: list[Act], cap: int, shards: int
) -> None:
    """At every prefix, also where events are late and the history overflows."""
    pipeline = Pipeline(shards, cap, Rule(5), forget_after_s=FORGET_AFTER_S)
    done: list[Act] = []
    for part in data.draw(portions(acts)):
        pipeline.take(part)
        done += part
        assert counts(pipeline) == truth(done, cap)


@given(st.data(), streams(), st.integers(1, 6), st.integers(1, 3))
def test_forgetting_takes_away_exactly_what_the_user_added(
    data: st.DataObject, acts: list[Act], cap: int, shards: int
) -> None:
    """Whoever is forgotten, the counts are those of the others; who comes back starts anew."""
    pipeline = Pipeline(shards, cap, Rule(5), forget_after_s=FORGET_AFTER_S)
    remembered: list[Act] = []
    users = sorted({act.user for act in acts})
    for part in data.draw(portions(acts)):
        pipeline.take(part)
        gone = data.draw(st.lists(st.sampled_from(users), unique=True))
        pipeline.forget(gone)
        remembered = [act for act in [*remembered, *part] if act.user not in gone]
        assert counts(pipeline) == truth(remembered, cap)
        assert not any(pipeline.histories.get(user) for user in gone)


@given(streams())
def test_who_is_idle_for_twice_as_long_may_be_forgotten_without_a_trace(acts: list[Act]) -> None:
    """Later events of such a user begin a history anew in any case."""
    pipeline = Pipeline(2, 4, Rule(5), forget_after_s=FORGET_AFTER_S)
    ordered = sorted(acts, key=lambda act: act.ts)
    for place, act in enumerate(ordered):
        pipeline.take([act])
        idle = [
            user
            for user, history in pipeline.histories.items()
            if history and newest_ts(history) < act.ts - 2 * FORGET_AFTER_S
        ]
        pipeline.forget(idle)
        seen = [other for other in ordered[: place + 1] if pipeline.histories[other.user]]
        assert counts(pipeline) == truth(seen, 4)
