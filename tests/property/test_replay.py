"""A message that comes twice, a batch with another cut, a crash: each event counts once."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from streamapp.core.counts.norms import NORM
from streamapp.core.counts.norms_and_rows import NormsAndRows
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.ranking import ListRule
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.interaction_batch import (
    InteractionBatchBuilder,
    Source,
    admit,
    decode_interactions,
)
from streamapp.core.shard.shard import Shard
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline
from tests.support.strategies import portions, streams


@given(st.data(), streams(), st.integers(1, 4))
def test_deltas_sent_again_change_nothing(data: st.DataObject, acts: list[Act], cap: int) -> None:
    """Applied offsets drop copies of earlier deltas anywhere later in the log."""
    once, twice = Pipeline(1, cap, ListRule(5)), Pipeline(1, cap, ListRule(5))
    for part in data.draw(portions(acts)):
        once.take(part)
        twice.take(part)
        if twice.log[0]:
            start = data.draw(st.integers(0, len(twice.log[0])))
            twice.log[0] += twice.log[0][start:]
        twice.drain(0)
    once.drain(0)
    assert once.counts() == twice.counts()


@given(st.data(), streams(), st.integers(1, 4))
def test_a_shard_that_died_after_storing_rows_goes_on_exactly(
    data: st.DataObject, acts: list[Act], cap: int
) -> None:
    """Rows and norms ahead of the position skip the deltas they hold when the log is read again."""
    pipeline = Pipeline(1, cap, ListRule(5))
    for part in data.draw(portions(acts)):
        pipeline.take(part)
    stored_at = data.draw(st.integers(0, len(pipeline.log[0])))
    whole = pipeline.store_at(0, stored_at)
    shard = pipeline.rows[0]
    ids, applied_offsets = list(shard.registry.ids), shard.applied_offsets.as_dict()
    norms = dict(shard.norms.packed_changes(stored_at))
    ahead = data.draw(st.integers(stored_at, len(whole)))
    pipeline.log[0] = whole[:ahead]
    pipeline.drain(0)
    pipeline.store(0, forget=False)
    changes = shard.norms.packed_changes(ahead)
    norms |= dict(changes[: data.draw(st.integers(0, len(changes)))])
    stored = np.frombuffer(norm_records(norms), NORM)

    reborn = Pipeline(1, cap, ListRule(5))
    reborn.log[0], reborn.stored[0], reborn.read[0] = whole, pipeline.stored[0], stored_at
    reborn.rows[0] = Shard(
        0,
        1,
        ListRule(5),
        "g",
        stored_at,
        Registry(ids),
        NormsAndRows.unpack(stored.tobytes()),
        AppliedOffsets(applied_offsets),
    )
    assert reborn.rows[0].is_replaying == any(stored["position"] > stored_at)
    reborn.drain(0)
    assert not reborn.rows[0].is_replaying

    straight = Pipeline(1, cap, ListRule(5))
    straight.log[0] = whole
    straight.drain(0)
    assert reborn.counts() == straight.counts()


@given(st.data(), streams(), st.integers(1, 4))
def test_a_shard_that_died_amid_a_checkpoint_owes_every_list_that_changed(
    data: st.DataObject, acts: list[Act], cap: int
) -> None:
    """Deltas are applied meanwhile, so rows are at several positions ahead of the stored one."""
    pipeline = Pipeline(1, cap, ListRule(5))
    for part in data.draw(portions(acts)):
        pipeline.take(part)
    stored_at = data.draw(st.integers(0, len(pipeline.log[0])))
    whole = pipeline.store_at(0, stored_at)
    shard = pipeline.rows[0]
    ids, applied_offsets = list(shard.registry.ids), shard.applied_offsets.as_dict()
    packed = norm_records(dict(shard.norms.packed_changes(stored_at)))
    shard.lists.dirty[:] = False
    while pipeline.read[0] < len(whole):
        pipeline.log[0] = whole[: data.draw(st.integers(pipeline.read[0] + 1, len(whole)))]
        pipeline.drain(0)
        unsaved = np.flatnonzero(shard.unsaved).tolist()
        for row in data.draw(st.sets(st.sampled_from(unsaved))) if unsaved else ():
            pipeline.stored[0][row] = shard.position, shard.packed(row)

    reborn = Pipeline(1, cap, ListRule(5))
    reborn.log[0], reborn.stored[0], reborn.read[0] = whole, pipeline.stored[0], stored_at
    reborn.rows[0] = Shard(
        0,
        1,
        ListRule(5),
        "g",
        stored_at,
        Registry(ids),
        NormsAndRows.unpack(packed),
        AppliedOffsets(applied_offsets),
    )
    reborn.drain(0)
    assert reborn.counts() == pipeline.counts()
    assert set(np.flatnonzero(shard.lists.dirty)) <= set(np.flatnonzero(reborn.rows[0].lists.dirty))


def norm_records(changes: dict[int, bytes]) -> bytes:
    """Return packed norms by number, as in the store."""
    stored = np.zeros(max(changes, default=-1) + 1, NORM)
    for number, packed in changes.items():
        stored[number] = np.frombuffer(packed, NORM)[0]
    return stored.tobytes()


@given(streams(), st.data())
def test_a_cut_below_the_position_brings_nothing_and_one_across_it_brings_the_rest(
    acts: list[Act], data: st.DataObject
) -> None:
    """Events are admitted by their offset, in any message."""
    stored_at = data.draw(st.integers(0, len(acts)))
    builder = InteractionBatchBuilder()
    builder.begin(Source("clicks", 3, len(acts)))
    for offset, act in enumerate(acts):
        builder.add(offset, act.user, act.item, "click", act.ts)
    cut = decode_interactions(builder.encode("g", partitions=1)[0])
    applied_offsets = AppliedOffsets({"clicks/3": stored_at})
    news = admit(cut, applied_offsets, Registry(), {"click": 1.0})
    assert news.applied == len(acts) - stored_at
    assert news.replayed == stored_at
    assert set(news.users) == {act.user for act in acts[stored_at:]}
    assert applied_offsets["clicks/3"] == len(acts)
    assert admit(cut, applied_offsets, Registry(), {"click": 1.0}).applied == 0
