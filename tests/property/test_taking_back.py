"""Events that take back, hide and forget leave the counts of what is left, at every prefix."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from streamapp.core.histories.decay import Decay
from streamapp.core.lists.ranking import ListRule
from tests.property.test_decay import assert_as_defined
from tests.property.test_equivalence import KINDS, acts_of, assert_equal_to_truth
from tests.support import oracle
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline
from tests.support.strategies import examples, fickle_streams, portions


@pytest.mark.parametrize("kind", KINDS)
@examples(100)
@given(st.data(), fickle_streams(), st.integers(1, 4), st.sampled_from([5.0, float("inf")]))
def test_counts_and_lists_equal_the_truth_at_every_prefix(
    kind: str, data: st.DataObject, acts: list[Act], cap: int, forget_after_s: float
) -> None:
    """Counts to the last integer, also with full histories and pauses, in any cuts."""
    pipeline = Pipeline(2, cap, ListRule(5), kind=kind, forget_after_s=forget_after_s)
    done: list[Act] = []
    for part in data.draw(portions(acts_of(kind, acts))):
        pipeline.take(part)
        done += part
        for shard in range(2):
            pipeline.drain(shard)
        assert_equal_to_truth(pipeline, done)


@examples(100)
@given(st.data(), fickle_streams(), st.integers(1, 4), st.sampled_from([5.0, float("inf")]))
def test_what_fades_falls_to_the_newest_that_is_left(
    data: st.DataObject, acts: list[Act], cap: int, forget_after_s: float
) -> None:
    """Each type fades from its own newest event, so an older type that is left counts less."""
    half_life_s = 4.0
    pipeline = Pipeline(
        2, cap, ListRule(5), decay=Decay(half_life_s), forget_after_s=forget_after_s
    )
    done: list[Act] = []
    for part in data.draw(portions(acts)):
        pipeline.take(part)
        done += part
        for shard in range(2):
            pipeline.drain(shard)
        want = oracle.faded(done, cap, half_life_s, 100, forget_after_s=forget_after_s)
        assert_as_defined(pipeline, want, 5)


@examples(100)
@given(fickle_streams(), st.integers(1, 4))
def test_a_user_who_is_forgotten_never_came(acts: list[Act], cap: int) -> None:
    """The state is that of a log without the user, down to the bytes of histories."""
    gone = acts[0].user
    pipeline, other = Pipeline(2, cap, ListRule(5)), Pipeline(2, cap, ListRule(5))
    pipeline.take([*acts, Act(gone, "", 0.0, float("-inf"), "forget")])
    other.registry.number(pipeline.registry.ids)
    other.take([act for act in acts if act.user != gone] or [Act(gone, "", 0.0, 1e9, "forget")])
    for one in (pipeline, other):
        for shard in range(2):
            one.drain(shard)
    assert pipeline.counts() == other.counts()
    assert pipeline.lists() == other.lists()
    kept = [{user: one for user, one in run.histories.items() if one} for run in (pipeline, other)]
    assert kept[0] == kept[1]


@examples(100)
@given(fickle_streams())
def test_a_repeated_event_changes_nothing(acts: list[Act]) -> None:
    """Each event twice in a row gives the histories of each event once."""
    once, twice = Pipeline(1, 100, ListRule(5)), Pipeline(1, 100, ListRule(5))
    once.take(acts)
    twice.take([act for act in acts for _ in range(2)])
    assert once.histories == twice.histories


@examples(100)
@given(fickle_streams(), st.integers(1, 4))
def test_the_hidden_items_are_the_newest_that_were_hidden(acts: list[Act], cap: int) -> None:
    """At most as many as a history may have items; each until it is shown again."""
    pipeline = Pipeline(1, cap, ListRule(5))
    for act in acts:
        pipeline.take([act])
    for user, one in oracle.users(acts, cap).items():
        assert pipeline.hidden(user) == set(one.hidden)
