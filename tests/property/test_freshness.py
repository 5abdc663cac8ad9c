"""What is published after a sweep equals what a full recomputation would publish."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings

from streamapp.core.ranking import Rule
from tests import oracle
from tests.oracle import Act
from tests.pipeline import Pipeline
from tests.strategies import portions, streams

Published = dict[str, list[tuple[str, float, int]]]


def publish(pipeline: Pipeline, number: int, rows: np.ndarray, published: Published) -> None:
    """Publish the rows of a shard whose list changed, as the agents do."""
    shard = pipeline.rows[number]
    pipeline.load(number, rows[~shard.rows.present[rows]])
    ranking = shard.rank(rows)
    changed = shard.differs(rows, ranking)
    ids = shard.registry.ids
    for line in np.flatnonzero(changed).tolist():
        entries = [
            (ids[ranking.item[line, place]], float(ranking.score[line, place]),
             int(ranking.support[line, place]))
            for place in range(ranking.size[line])
        ]  # fmt: skip
        published.pop(ids[rows[line]], None)
        if entries:
            published[ids[rows[line]]] = entries
    shard.remember(rows, ranking)


@settings(max_examples=600)
@given(st.data(), streams(max_size=16), st.sampled_from([1, 2, 9]), st.integers(1, 2))
def test_published_lists_equal_the_truth_after_every_sweep(
    data: st.DataObject, acts: list[Act], cap: int, shards: int
) -> None:
    """Rows that changed are published at once, rows whose norms moved by the sweep, none else."""
    pipeline = Pipeline(shards, cap, Rule(top_n=data.draw(st.integers(1, 3))))
    published: Published = {}
    done: list[Act] = []
    for part in data.draw(portions(acts)):
        pipeline.take(part)
        done += part
        for number in range(shards):
            pipeline.drain(number)
            shard = pipeline.rows[number]
            dirty = np.flatnonzero(shard.dirty).astype(np.int32)
            shard.dirty[:] = False
            publish(pipeline, number, dirty, published)
            if data.draw(st.booleans()):
                pipeline.store(number, forget=True)
        if data.draw(st.booleans()):
            continue
        for number in range(shards):
            norms = pipeline.rows[number].norms
            outdated = pipeline.rows[number].outdated(norms.moved, norms.fell)
            norms.moved[:] = norms.fell[:] = False
            publish(pipeline, number, outdated, published)
        assert published == oracle.lists(done, cap, pipeline.rule.top_n)
