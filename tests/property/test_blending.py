"""Lists for users: the compiled blend against sums over a dense matrix, item by item."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.core.blending import Blend, Tastes, blend
from streamapp.core.ranking import Rule
from tests.oracle import Act, gram, histories
from tests.pipeline import Pipeline
from tests.strategies import WEIGHTS, streams

CAP = 6
ALL = 50

blends = st.builds(
    Blend,
    top_n=st.just(ALL),
    depth=st.integers(1, CAP + 1),
    damping=st.sampled_from([0.0, 1.0, 20.0]),
    alpha=st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]),
    fading=st.sampled_from([None, 1.0, 0.5, 0.0]),
    rated=st.booleans(),
    binary=st.booleans(),
    exclude_from=st.sampled_from([0.0, WEIGHTS[-1], math.inf]),
)


def counted(acts: list[Act]) -> Pipeline:
    """Return a pipeline of one shard that has taken acts."""
    pipeline = Pipeline(1, CAP, Rule(top_n=ALL))
    pipeline.take(acts)
    pipeline.drain(0)
    return pipeline


def blended(pipeline: Pipeline, users: list[str], rule: Blend) -> list[list[tuple[str, float]]]:
    """Return the list of each user."""
    shard = pipeline.rows[0]
    own = Tastes.unpack([pipeline.histories[user] for user in users], pipeline.registry)
    item = np.array([shard.registry.find(pipeline.registry.ids[one]) for one in own.item], np.int32)
    tastes = Tastes(own.starts, item, own.rating)
    result = blend(tastes, shard.rows, shard.norms, shard.registry, rule)
    assert not shard.registry.scratch.any()
    return [
        [
            (shard.registry.ids[item], score)
            for item, score in zip(items[:size], scores, strict=False)
        ]
        for size, items, scores in zip(*(part.tolist() for part in result), strict=True)
    ]


def summed(
    acts: list[Act], history: dict[str, tuple[float, float]], rule: Blend
) -> dict[str, float]:
    """Return the score of every item, slowly."""
    items, dots, supports = gram(acts, CAP)
    matrix = supports if rule.binary else dots
    newest = sorted(history, key=lambda item: (history[item][1], item.encode()), reverse=True)
    scores = {}
    for place, item in enumerate(items):
        if item in history and history[item][0] >= rule.exclude_from:
            continue
        score = 0.0
        for position, one in enumerate(newest[: rule.depth]):
            other = items.index(one)
            if one == item:
                continue
            weight = 1 / (position + 1) if rule.fading is None else rule.fading**position
            own, its = matrix[other, other] + rule.damping, matrix[place, place] + rule.damping
            similarity = matrix[other, place] / (own**rule.alpha * its ** (1 - rule.alpha))
            score += weight * (history[one][0] if rule.rated else 1.0) * similarity
        if score > 0:
            scores[item] = score
    return scores


@given(streams(), blends)
def test_a_list_has_the_scores_of_the_dense_sum_in_the_total_order(
    acts: list[Act], rule: Blend
) -> None:
    """Every item over 0 that is not excluded, best first, then by id in byte order."""
    pipeline = counted(acts)
    kept = histories(acts, CAP)
    for user, got in zip(kept, blended(pipeline, list(kept), rule), strict=True):
        assert dict(got) == pytest.approx(summed(acts, kept[user], rule), rel=1e-12)
        assert got == sorted(got, key=lambda entry: (-entry[1], entry[0].encode()))


@given(streams(), blends, st.integers(1, 4))
def test_a_shorter_list_is_the_beginning_of_a_longer_one(
    acts: list[Act], rule: Blend, top_n: int
) -> None:
    """The cut falls behind the best, whatever the order in which they were met."""
    pipeline = counted(acts)
    users = list(pipeline.histories)
    shorter = Blend(top_n, rule.depth, rule.damping, rule.alpha, rule.fading,
                    rule.rated, rule.binary, rule.exclude_from)  # fmt: skip
    whole = blended(pipeline, users, rule)
    assert blended(pipeline, users, shorter) == [entries[:top_n] for entries in whole]


@given(streams())
def test_the_list_of_one_item_is_the_list_that_is_published_for_it(acts: list[Act]) -> None:
    """To the last bit: a frontend that knows the last item only loses nothing but the rest."""
    pipeline = counted(acts)
    published = pipeline.lists()
    rule = Blend(ALL, depth=1, exclude_from=math.inf)
    users = list(pipeline.histories)
    kept = histories(acts, CAP)
    for user, got in zip(users, blended(pipeline, users, rule), strict=True):
        newest = max(kept[user], key=lambda item: (kept[user][item][1], item.encode()))
        assert got == [(item, score) for item, score, _ in published.get(newest, [])]


def test_a_bought_item_leaves_the_list_and_one_that_was_looked_at_stays() -> None:
    """Where only purchases are excluded."""
    acts = [Act("u", "a", 5, 1), Act("u", "b", 1, 2), Act("v", "a", 1, 1), Act("v", "b", 1, 2)]
    pipeline = counted(acts)
    (got,) = blended(pipeline, ["u"], Blend(ALL, depth=2, exclude_from=5))
    assert [item for item, _ in got] == ["b"]


@pytest.mark.parametrize("unknown", [-1, 1_000_000])
def test_an_item_without_a_row_holds_its_position(unknown: int) -> None:
    """What is behind it weighs as much as if it were known."""
    pipeline = counted([Act("u", "a", 1, 1), Act("u", "b", 1, 2)])
    shard = pipeline.rows[0]
    row = shard.registry.find("a")
    tastes = Tastes(np.array([0, 2]), np.array([unknown, row], np.int32), np.ones(2))
    rule = Blend(2, depth=2, fading=0.5)
    result = blend(tastes, shard.rows, shard.norms, shard.registry, rule)
    assert result.size.tolist() == [1]
    assert result.score[0, 0] == 0.5
