"""Incremental counts and lists equal the batch truth at every prefix, for any cuts."""

from collections.abc import Callable, Collection

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from streamapp.core.list_kinds import BOUGHT_AFTER_VIEW, ITEM
from streamapp.core.lists.ranking import MEASURES, ListRule, Measure
from tests.support import oracle
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline
from tests.support.strategies import portions, streams

KINDS = (ITEM, BOUGHT_AFTER_VIEW)
"""The kinds with different rows; bought together has the rows of neighbours."""


def acts_of(kind: str, acts: list[Act]) -> list[Act]:
    """Return the pipeline's input of some acts; the heaviest are purchases."""
    if kind == ITEM:
        return acts
    return [one for act in acts for one in oracle.in_roles(act)]


def may_be_listed(kind: str) -> Callable[[str, str], bool]:
    """Return the oracle's lists, by the names of the pipeline."""
    return oracle.bought_after_view if kind == BOUGHT_AFTER_VIEW else oracle.other


def true_lists(
    pipeline: Pipeline, acts: list[Act], hidden: Collection[str] = ()
) -> dict[str, list[tuple[str, float, int]]]:
    """Return the expected lists of the pipeline, in their public form."""
    rule, role = pipeline.rule, "b:" if pipeline.kind == BOUGHT_AFTER_VIEW else ""
    found = oracle.lists(
        acts, pipeline.cap, rule.top_n, rule.damping, rule.min_support, rule.measure,
        [role + item for item in hidden], may_be_listed(pipeline.kind), pipeline.forget_after_s,
    )  # fmt: skip
    return {
        item[len(role) :]: [
            (entry[len(role) :], score, support) for entry, score, support in entries
        ]
        for item, entries in found.items()
    }


def assert_equal_to_truth(
    pipeline: Pipeline, acts: list[Act], hidden: Collection[str] = ()
) -> None:
    """Compare the whole state of the pipeline with the oracle."""
    pairs = may_be_listed(pipeline.kind)
    items, dots, supports = oracle.gram(acts, pipeline.cap, pipeline.forget_after_s)
    got_dots, got_supports = pipeline.counts()
    want = {
        (left, right): (dots[i, j], supports[i, j])
        for i, left in enumerate(items)
        for j, right in enumerate(items)
        if supports[i, j] and (i == j or pairs(left, right))
    }
    assert {pair: (dot, got_supports[pair]) for pair, dot in got_dots.items()} == want
    assert pipeline.lists() == true_lists(pipeline, acts, hidden)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("measure", MEASURES)
@given(st.data(), streams(), st.integers(1, 6), st.integers(1, 3))
def test_counts_and_lists_equal_the_batch_truth_at_every_prefix(
    measure: Measure, kind: str, data: st.DataObject, acts: list[Act], cap: int, shards: int
) -> None:
    """Counts to the last integer, lists in their total order, also with full histories."""
    rule, acts = ListRule(data.draw(st.integers(1, 5)), measure=measure), acts_of(kind, acts)
    pipeline = Pipeline(shards, cap, rule, kind=kind)
    done: list[Act] = []
    for part in data.draw(portions(acts)):
        pipeline.take(part)
        done += part
        for shard in range(shards):
            pipeline.drain(shard)
        assert_equal_to_truth(pipeline, done)


@pytest.mark.parametrize("kind", KINDS)
@given(streams(), st.integers(1, 4))
def test_events_one_by_one_give_what_one_batch_gives(kind: str, acts: list[Act], cap: int) -> None:
    """The grouping of events into cuts is not visible in the counts."""
    acts = acts_of(kind, acts)
    single, whole = (Pipeline(2, cap, ListRule(5), kind=kind, joint=joint) for joint in (3, 1))
    for act in acts:
        single.take([act])
    whole.take(acts)
    for pipeline in (single, whole):
        for shard in range(2):
            pipeline.drain(shard)
    assert single.counts() == whole.counts()
    assert single.lists() == whole.lists()


@pytest.mark.parametrize("kind", KINDS)
@given(st.data(), streams(), st.integers(1, 4))
def test_rows_that_come_and_go_keep_their_counts(
    kind: str, data: st.DataObject, acts: list[Act], cap: int
) -> None:
    """A row that was stored, dropped from memory and loaded again continues as before."""
    acts = acts_of(kind, acts)
    pipeline = Pipeline(2, cap, ListRule(5), kind=kind)
    for part in data.draw(portions(acts)):
        pipeline.take(part)
        shard = data.draw(st.integers(0, 1))
        pipeline.drain(shard)
        pipeline.store(shard, forget=data.draw(st.booleans()))
    for shard in range(2):
        pipeline.drain(shard)
    assert_equal_to_truth(pipeline, acts)


@given(st.data(), streams(), st.permutations(range(4)))
def test_without_eviction_the_order_of_users_does_not_matter(
    data: st.DataObject, acts: list[Act], ranks: list[int]
) -> None:
    """Any interleaving of users gives the same counts, as long as nothing is evicted."""
    users = sorted({act.user for act in acts})
    rank = dict(zip(users, ranks, strict=False))
    shuffled = sorted(acts, key=lambda act: rank[act.user])
    pipelines = [Pipeline(1, 100, ListRule(5)), Pipeline(1, 100, ListRule(5))]
    for pipeline, stream in zip(pipelines, (acts, shuffled), strict=True):
        for part in data.draw(portions(stream)):
            pipeline.take(part)
        pipeline.drain(0)
        assert_equal_to_truth(pipeline, acts)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("measure", MEASURES)
@given(streams(), st.sampled_from([0.0, 0.5, 20.0]), st.integers(1, 3))
def test_damping_and_minimum_support_follow_the_formula(
    measure: Measure, kind: str, acts: list[Act], damping: float, min_support: int
) -> None:
    """Lists under the options equal the dense recomputation under the same options."""
    acts = acts_of(kind, acts)
    pipeline = Pipeline(2, 100, ListRule(4, damping, min_support, measure), kind=kind)
    pipeline.take(acts)
    for shard in range(2):
        pipeline.drain(shard)
    assert_equal_to_truth(pipeline, acts)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("measure", MEASURES)
@given(streams(), st.integers(1, 4))
def test_scores_stay_in_bounds_and_no_item_neighbours_itself(
    measure: Measure, kind: str, acts: list[Act], cap: int
) -> None:
    """Each measure is at most 1 up to rounding, and a list never holds its own item."""
    pipeline = Pipeline(1, cap, ListRule(5, measure=measure), kind=kind)
    pipeline.take(acts_of(kind, acts))
    pipeline.drain(0)
    for item, entries in pipeline.lists().items():
        assert all(0 < score <= 1 + 1e-12 for _, score, _ in entries)
        assert item not in {other for other, _, _ in entries}


@pytest.mark.parametrize("weight", [0.1, 1 / 3])
def test_fractional_weights_leave_nothing_behind_when_a_pair_is_gone(weight: float) -> None:
    """Support decides when a pair ends, so a rounding residue cannot keep it alive."""
    pipeline = Pipeline(1, 2, ListRule(5))
    pipeline.take([Act("u", name, weight, ts) for ts, name in enumerate("abcdef", 10**9)])
    pipeline.drain(0)
    dots, supports = pipeline.counts()
    assert set(dots) == {("e", "e"), ("f", "f"), ("e", "f"), ("f", "e")}
    assert supports["e", "f"] == 1
    assert np.isclose(dots["e", "f"], weight * weight)
