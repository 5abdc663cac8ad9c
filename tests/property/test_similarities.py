"""The evaluation's lists from counts against a dense matrix, item by item."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.evaluation.similarities import Similarity, neighbours_of
from streamapp.core.lists.ranking import ListRule
from tests.support.oracle import Act, gram
from tests.support.pipeline import Pipeline
from tests.support.strategies import streams

CAP = 6
ALL = 50

Lists = dict[str, list[tuple[str, float]]]

similarities = st.builds(
    Similarity,
    damping=st.sampled_from([0.0, 1.0, 20.0]),
    alpha=st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]),
    binary=st.booleans(),
)


def counted(acts: list[Act], rule: ListRule) -> Pipeline:
    """Return a pipeline of one shard that has taken acts."""
    pipeline = Pipeline(1, CAP, rule)
    pipeline.take(acts)
    pipeline.drain(0)
    return pipeline


def listed(pipeline: Pipeline, items: list[str], rule: Similarity) -> Lists:
    """Return the lists of items."""
    shard = pipeline.rows[0]
    ids = shard.registry.ids
    numbers = np.array([shard.registry.find(item) for item in items], np.int32)
    got = neighbours_of(numbers, shard.rows, shard.norms, shard.registry, rule)
    assert not len(got.ends) or got.ends[-1] == len(got.item) == len(got.score)
    assert len(got.row) == len(ids)
    return {
        ids[number]: [
            (ids[got.item[entry]], float(got.score[entry]))
            for entry in range(got.starts[line], got.ends[line])
        ]
        for number, line in enumerate(got.row)
        if line >= 0
    }


def best_first(entries: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Return entries in the total order."""
    return sorted(entries, key=lambda entry: (-entry[1], entry[0].encode()))


@given(streams(), similarities)
def test_whole_lists_have_the_similarities_of_the_dense_matrix(
    acts: list[Act], rule: Similarity
) -> None:
    """For each pair of items that some user has in common."""
    items, dots, supports = gram(acts, CAP)
    matrix = supports if rule.binary else dots
    got = listed(counted(acts, ListRule(ALL)), items, rule)
    assert sorted(got) == sorted(items)
    for own, item in enumerate(items):
        scale = (matrix[own, own] + rule.damping) ** rule.alpha
        scale = scale * (matrix.diagonal() + rule.damping) ** (1 - rule.alpha)
        similar = {
            other: matrix[own, its] / scale[its]
            for its, other in enumerate(items)
            if other != item and supports[own, its]
        }
        assert dict(got[item]) == pytest.approx(similar, rel=1e-12)


@given(streams(), st.sampled_from([0.0, 20.0]), st.integers(1, 4))
def test_a_list_by_the_rule_of_the_app_is_the_one_it_publishes(
    acts: list[Act], damping: float, neighbours: int
) -> None:
    """To the last bit, in its order; the whole row as well."""
    pipeline = counted(acts, ListRule(neighbours, damping))
    published, items = pipeline.lists(), pipeline.rows[0].registry.ids
    whole = listed(pipeline, items, Similarity(damping))
    cut = listed(pipeline, items, Similarity(damping, neighbours=neighbours))
    for item, entries in cut.items():
        assert entries == [(other, score) for other, score, _ in published.get(item, [])]
        assert entries == best_first(whole[item])[:neighbours]


@given(streams(), similarities, st.integers(1, 4), st.data())
def test_a_cut_list_is_the_beginning_of_the_whole_one_for_the_items_that_are_asked(
    acts: list[Act], rule: Similarity, neighbours: int, data: st.DataObject
) -> None:
    """For any similarity; an unknown item has no list."""
    pipeline = counted(acts, ListRule(ALL))
    ids = pipeline.rows[0].registry.ids
    asked = data.draw(st.lists(st.sampled_from(ids)))
    whole = listed(pipeline, asked, rule)
    shorter = Similarity(rule.damping, rule.alpha, rule.binary, neighbours)
    cut = listed(pipeline, [*asked, "an unknown item"], shorter)
    for item, entries in cut.items():
        assert entries == best_first(whole[item])[:neighbours]
    assert cut.keys() == whole.keys() == set(asked)
