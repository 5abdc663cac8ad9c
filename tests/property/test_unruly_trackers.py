"""Records that are late, repeated, repeated with another type, or interleaved: the same counts."""

import hypothesis.strategies as st
from hypothesis import given

from streamapp.core.lists.ranking import ListRule
from tests.property.test_equivalence import assert_equal_to_truth
from tests.support import oracle
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline
from tests.support.strategies import WEIGHTS, portions, streams

_ROOM = 100


def counted(data: st.DataObject, acts: list[Act], cap: int) -> Pipeline:
    """Return a pipeline that took acts in this order, cut anywhere."""
    pipeline = Pipeline(2, cap, ListRule(5))
    for part in data.draw(portions(acts)):
        pipeline.take(part)
        pipeline.drain(data.draw(st.integers(0, 1)))
    for shard in range(2):
        pipeline.drain(shard)
    return pipeline


@given(st.data(), streams(max_size=30))
def test_late_repeated_and_retyped_records_count_as_the_batch_truth_counts_them(
    data: st.DataObject, acts: list[Act]
) -> None:
    """As long as nothing is evicted, any order of any copies gives the same counts."""
    retyped = [
        act._replace(weight=data.draw(st.sampled_from(WEIGHTS)))
        for act in data.draw(st.lists(st.sampled_from(acts), max_size=8))
    ]
    repeated = data.draw(st.lists(st.sampled_from([*acts, *retyped]), max_size=8))
    delivered = data.draw(st.permutations([*acts, *retyped, *repeated]))
    assert_equal_to_truth(counted(data, delivered, _ROOM), [*acts, *retyped])


@given(st.data(), streams(max_size=30), st.integers(1, 5))
def test_a_record_that_comes_twice_in_a_row_counts_once_whatever_the_cap(
    data: st.DataObject, acts: list[Act], cap: int
) -> None:
    """A tracker that repeats its last event changes nothing, also in a full history."""
    delivered = [act for act in acts for _ in range(data.draw(st.integers(1, 3)))]
    assert_equal_to_truth(counted(data, delivered, cap), acts)


@given(st.data(), streams(), st.integers(1, 5))
def test_another_interleaving_of_users_counts_the_same_whatever_the_cap(
    data: st.DataObject, acts: list[Act], cap: int
) -> None:
    """Only the order within a user counts, and only if a history is full."""
    left = {act.user: [one for one in acts if one.user == act.user] for act in acts}
    turns = data.draw(st.permutations([act.user for act in acts]))
    delivered = [left[user].pop(0) for user in turns]
    assert_equal_to_truth(counted(data, delivered, cap), acts)
    assert oracle.histories(delivered, cap) == oracle.histories(acts, cap)
