"""The lists after a sweep equal those of a full recomputation."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from streamapp.core.lists.ranking import MEASURES, ListRule, Measure
from tests.property.test_equivalence import KINDS, acts_of, true_lists
from tests.property.test_refresh import TOLERANCES
from tests.support import oracle
from tests.support.closeness import assert_close
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline
from tests.support.strategies import examples, portions, streams

Published = dict[str, list[tuple[str, float, int]]]


def publish(pipeline: Pipeline, number: int, rows: np.ndarray, published: Published) -> None:
    """Publish the rows of a shard whose list changed, as the agents do."""
    shard = pipeline.rows[number]
    pipeline.load(number, rows[~shard.rows.present[rows]])
    ranking = shard.rank(rows)
    changed = shard.lists.differs(rows, ranking)
    ids = shard.registry.public_ids
    for line in np.flatnonzero(changed).tolist():
        entries = [
            (ids[ranking.item[line, place]], float(ranking.score[line, place]),
             int(ranking.support[line, place]))
            for place in range(ranking.size[line])
        ]  # fmt: skip
        published.pop(ids[rows[line]], None)
        if entries:
            published[ids[rows[line]]] = entries
    shard.lists.mark_clean(rows[~changed])
    shard.lists.acknowledge(rows[changed], ranking.only(np.flatnonzero(changed)))


def publish_dirty(pipeline: Pipeline, number: int, published: Published) -> None:
    """Publish the rows of a shard that changed."""
    shard = pipeline.rows[number]
    dirty = np.flatnonzero(shard.lists.dirty).astype(np.int32)
    shard.lists.dirty[:] = False
    publish(pipeline, number, dirty, published)


def sweep(pipeline: Pipeline, number: int, published: Published) -> None:
    """Publish the rows of a shard whose list may differ because norms changed."""
    norms = pipeline.rows[number].norms
    outdated = pipeline.rows[number].outdated(norms.changed, norms.decreased)
    norms.changed[:] = norms.decreased[:] = False
    publish(pipeline, number, outdated, published)


@pytest.mark.parametrize("tolerance", TOLERANCES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("measure", MEASURES)
@examples(300)
@given(st.data(), streams(max_size=16), st.sampled_from([1, 2, 9]), st.integers(1, 2))
def test_published_lists_equal_the_truth_after_every_sweep(
    measure: Measure,
    kind: str,
    tolerance: float,
    data: st.DataObject,
    acts: list[Act],
    cap: int,
    shards: int,
) -> None:
    """Changed rows are published at once, rows with changed norms by the sweep, no others.

    A hidden item, or one shown again, has the effect of a changed norm. Members and order are
    exact, and scores to the tolerance.
    """
    rule = ListRule(data.draw(st.integers(1, 3)), measure=measure)
    pipeline = Pipeline(shards, cap, rule, kind=kind, tolerance=tolerance)
    published: Published = {}
    done: list[Act] = []
    hidden: dict[str, bool] = {}
    items = st.sampled_from(sorted({act.item for act in acts} | {"unseen"}))
    for part in data.draw(portions(acts_of(kind, acts))):
        turned = data.draw(st.dictionaries(items, st.booleans(), max_size=3))
        pipeline.tell(turned)
        hidden |= turned
        pipeline.take(part)
        done += part
        for number in range(shards):
            pipeline.drain(number)
            publish_dirty(pipeline, number, published)
            if data.draw(st.booleans()):
                pipeline.store(number, forget=True)
        if data.draw(st.booleans()):
            continue
        pipeline.exchange_norms()
        for number in range(shards):
            sweep(pipeline, number, published)
        gone = [item for item in hidden if hidden[item]]
        assert_close(published, true_lists(pipeline, done, gone), tolerance)


@pytest.mark.parametrize("measure", MEASURES)
def test_an_item_that_someone_forgets_enters_lists_that_did_not_hold_it(measure: Measure) -> None:
    """No user's pair with i changes, but j is rarer: it ties with k now, and its id comes first."""
    pipeline, published = Pipeline(1, 2, ListRule(1, measure=measure)), Published()
    pairs = (("v", "i"), ("v", "j"), ("w", "i"), ("w", "k"), ("u", "j"), ("u", "x"), ("u", "y"))
    acts = [Act(user, item, 1.0, float(ts)) for ts, (user, item) in enumerate(pairs, 10**9)]
    listed = []
    for part in (acts[:-1], acts[-1:]):
        pipeline.take(part)
        pipeline.drain(0)
        publish_dirty(pipeline, 0, published)
        sweep(pipeline, 0, published)
        ((name, _, _),) = published["i"]
        listed.append(name)
    assert published == oracle.lists(acts, 2, 1, measure=measure)
    assert listed == (["j", "j"] if measure == "confidence" else ["k", "j"])
