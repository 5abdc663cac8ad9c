"""Shards share the norms that they count, and take those of other shards from their logs."""

import numpy as np
import pytest

from streamapp.core.counts.decayed_norms import DecayedNorms
from streamapp.core.counts.norm_table import NormTable
from streamapp.core.histories.decay import Decay
from streamapp.core.ids.registry import shard_of
from streamapp.core.lists.ranking import MEASURES, ListRule, Measure
from streamapp.core.messages.delta import JOINT_KEY, decode_deltas
from streamapp.core.messages.norm_segment import NormSegment, decode_segments, encode_segments
from streamapp.core.messages.norm_update import (
    NormUpdate,
    decode_norm_update,
    encode_norm_updates,
    positions_as_text,
    positions_in,
)
from streamapp.core.messages.norm_values import NormValues
from streamapp.core.shard.norm_lookup import NormLookup
from tests.support import oracle
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline

SHARDS = 3


def values(*sums: float) -> NormValues:
    """Return norms of items with one user each."""
    return NormValues(np.array(sums), np.ones(len(sums), np.int64), np.zeros(len(sums), np.int32))


def item_of(shard: int, *, but: str = "") -> str:
    """Return an item whose norm a shard counts."""
    names = (f"i{number}" for number in range(1_000))
    return next(name for name in names if name != but and shard_of(name, SHARDS) == shard)


def shared(pipeline: Pipeline) -> NormTable:
    """Return the table after every shard has shared its norms."""
    for number in range(pipeline.shards):
        pipeline.drain(number)
        pipeline.share(number)
    return pipeline.table


def norm(pipeline: Pipeline, shard: int, item: str) -> tuple[float, int]:
    """Return the norm of an item as a shard knows it."""
    one = pipeline.rows[shard]
    number = one.registry.find(item)
    return float(one.norms.sum_sq[number]), int(one.norms.users[number])


def test_segments_hold_what_was_shared() -> None:
    """Of any number of items, in order."""
    ids = [f"item-{number}" for number in range(4_500)]
    some = NormValues(np.arange(4_500) / 7, np.arange(4_500), np.arange(4_500, dtype=np.int32) - 9)
    positions = np.arange(1, 4_501)
    feed = b"".join(encode_segments(NormSegment(ids, positions, some)))
    parts = list(decode_segments(feed))
    assert [len(part.ids) for part in parts] == [2_000, 2_000, 500]
    assert [item for part in parts for item in part.ids] == ids
    assert np.concatenate([part.positions for part in parts]).tolist() == positions.tolist()
    for column in NormValues._fields:
        found = np.concatenate([getattr(part.values, column) for part in parts])
        assert found.tolist() == getattr(some, column).tolist()


def test_a_later_norm_replaces_an_earlier_one_in_any_order() -> None:
    """A feed may be read twice, and a norm of a later position is the newer one."""
    table = NormTable(2)
    table.update(1, ["a", "b"], np.array([5, 5]), values(1.0, 2.0), 5)
    table.update(1, ["b", "c"], np.array([4, 7]), values(9.0, 3.0), 7)
    table.update(1, ["c"], np.array([6]), values(8.0), 6)
    assert table.values(table.numbers(["a", "b", "c"])).sum_sq.tolist() == [1.0, 2.0, 3.0]
    assert table.positions.tolist() == [0, 7]


def test_a_table_knows_what_each_shard_has_shared() -> None:
    """An item that somebody only asked for was shared by nobody."""
    table = NormTable(SHARDS)
    mine, other = item_of(1), item_of(1, but=item_of(1))
    table.numbers([other, item_of(0)])
    table.update(1, [mine], np.array([3]), values(2.0), 3)
    assert [table.registry.ids[number] for number in table.of_shard(1)] == [mine]
    assert not len(table.of_shard(0))
    assert table.values(table.numbers([other])).users.tolist() == [0]


def test_a_message_reaches_only_the_shards_of_a_users_items() -> None:
    """The norm of an item is counted by one shard."""
    pipeline = Pipeline(SHARDS, 9, ListRule(3))
    pipeline.take([Act("u", item_of(0), 2.0, 1.0), Act("u", item_of(1), 1.0, 1.0)])
    assert [len(log) for log in pipeline.log] == [1, 1, 0]


def test_the_shard_of_a_kept_item_learns_the_norm_of_a_changed_one_from_its_owner() -> None:
    """It counts what it sees until then, and nothing afterwards."""
    first, second = item_of(0), item_of(1)
    pipeline = Pipeline(SHARDS, 9, ListRule(3))
    acts = [Act("u", first, 2.0, 1.0), Act("u", second, 1.0, 2.0), Act("v", second, 3.0, 3.0)]
    pipeline.take(acts[:2])
    pipeline.drain(0)
    assert norm(pipeline, 0, second) == (1.0, 1)
    pipeline.take(acts[2:])
    shared(pipeline)
    assert norm(pipeline, 0, second) == (1.0, 1)
    pipeline.take_norms(0)
    pipeline.drain(0)
    assert norm(pipeline, 0, second) == (10.0, 2)
    pipeline.take([Act("u", second, 5.0, 4.0)])
    pipeline.drain(0)
    assert norm(pipeline, 0, second) == (10.0, 2)
    assert pipeline.lists() == oracle.lists([*acts, Act("u", second, 5.0, 4.0)], 9, 3)


def test_a_norm_that_was_taken_is_marked_as_changed_and_as_decreased_if_it_fell() -> None:
    """So a sweep compares the lists that hold the item."""
    first, second = item_of(0), item_of(1)
    pipeline = Pipeline(SHARDS, 1, ListRule(3))
    pipeline.take([Act("u", first, 2.0, 1.0)])
    pipeline.cap = 2
    pipeline.take([Act("u", second, 3.0, 2.0), Act("v", second, 3.0, 2.0)])
    pipeline.exchange_norms()
    shard = pipeline.rows[0]
    number = shard.registry.find(second)
    shard.norms.take_changes()
    pipeline.cap = 1
    pipeline.take([Act("v", first, 1.0, 9.0)])
    pipeline.exchange_norms()
    assert norm(pipeline, 0, second) == (9.0, 1)
    assert shard.norms.changed[number]
    assert shard.norms.decreased[number]


def test_norms_that_do_not_differ_change_no_list() -> None:
    """The first norm from the owner is often what the shard has counted itself."""
    first, second = item_of(0), item_of(1)
    pipeline = Pipeline(SHARDS, 9, ListRule(3))
    pipeline.take([Act("u", first, 2.0, 1.0), Act("u", second, 1.0, 2.0)])
    shared(pipeline)
    pipeline.rows[0].norms.take_changes()
    pipeline.take_norms(0)
    pipeline.drain(0)
    assert not pipeline.rows[0].norms.changed.any()


@pytest.mark.parametrize(("base", "seen", "fits"), [
    ([0, 0, 4], [0, 5, 9], True),
    ([0, 3, 4], [0, 5, 9], True),
    ([0, 4, 4], [0, 5, 9], False),
    ([0, 0, 4], [0, 2, 9], False),
    ([0, 0], [0, 5], False),
])  # fmt: skip
def test_an_update_is_only_applied_where_it_goes_on(
    base: list[int], seen: list[int], fits: bool
) -> None:
    """An owner that lost its shard may send an update late; nothing is missed or taken back."""
    (message,) = encode_norm_updates(
        "g", np.array(base), np.array(seen), 0, np.zeros(0, np.int32), values()
    )
    assert decode_norm_update(message).follows(np.array([0, 3, 4])) is fits


def test_an_update_for_another_state_is_not_applied() -> None:
    """A rebuilt state counts from the start."""
    pipeline = Pipeline(1, 9, ListRule(3))
    for state_id, new in (("other", False), ("g", True)):
        (message,) = encode_norm_updates(
            state_id, np.zeros(1, np.int64), np.array([4]), 0, np.zeros(0, np.int32), values()
        )
        assert pipeline.rows[0].apply_norms(decode_norm_update(message), 0) is new


def test_a_large_update_comes_in_parts_and_counts_as_seen_with_the_last_one() -> None:
    """Each part fits into a message."""
    items = np.arange(65_000, dtype=np.int32)
    some = values(*range(65_000))
    messages = list(encode_norm_updates("g", np.array([1]), np.array([7]), 65_000, items, some))
    updates = [decode_norm_update(message) for message in messages]
    assert max(map(len, messages)) < 1_000_000
    assert np.concatenate([update.numbers for update in updates]).tolist() == items.tolist()
    sums = np.concatenate([update.values.sum_sq for update in updates])
    assert sums.tolist() == some.sum_sq.tolist()
    seen = [update.advanced(np.array([1]), 65_000).tolist() for update in updates]
    assert seen == [[1], [1], [7]]
    assert updates[2].advanced(np.array([1]), 65_001).tolist() == [1]


def test_positions_survive_as_text() -> None:
    """A new state has none."""
    assert positions_in(positions_as_text(np.array([3, 0, 12])), 3).tolist() == [3, 0, 12]
    assert positions_in("", 2).tolist() == [0, 0]


def test_a_norm_that_was_stored_ahead_is_shared_again() -> None:
    """Its owner may have died before other shards could learn it."""
    pipeline = Pipeline(1, 9, ListRule(3))
    pipeline.take([Act("u", "a", 2.0, 1.0)])
    pipeline.drain(0)
    shard = pipeline.rows[0]
    shard.take_unshared()
    shard.norms.position[:] = 9
    before = shard.norms.sum_sq.copy()
    pipeline.take([Act("v", "a", 2.0, 1.0)])
    pipeline.drain(0)
    assert shard.norms.sum_sq.tolist() == before.tolist()
    assert shard.take_unshared()[0] == ["a"]


def test_a_shard_can_share_all_its_norms_once_more() -> None:
    """Those of other shards are not its own to share."""
    pipeline = Pipeline(SHARDS, 9, ListRule(3))
    pipeline.take([Act("u", item_of(0), 2.0, 1.0), Act("u", item_of(1), 1.0, 2.0)])
    shared(pipeline)
    shard = pipeline.rows[0]
    assert shard.take_unshared()[0] == []
    shard.share_all()
    assert shard.take_unshared()[0] == [item_of(0)]


@pytest.mark.parametrize("decay", [None, Decay(86_400.0)])
def test_an_item_that_a_row_holds_has_a_norm_before_its_owner_has_shared_it(
    decay: Decay | None,
) -> None:
    """The shard saw no change of it. Without a norm it would leave the list, and not come back."""
    first, second = item_of(0), item_of(1)
    pipeline = Pipeline(SHARDS, 9, ListRule(3), decay=decay)
    pipeline.take([Act("u", first, 2.0, 1.0)])
    pipeline.take([Act("u", second, 1.0, 1.0)])
    pipeline.drain(1)
    sum_sq, users = norm(pipeline, 1, first)
    assert (sum_sq > 0, users) == (True, 1)
    if decay is None:
        assert sum_sq == 4.0
    again = pipeline.rows[1].norms.packed_changes(9)
    assert pipeline.rows[1].registry.find(first) in [number for number, _ in again]


@pytest.mark.parametrize("decay", [None, Decay(86_400.0)])
def test_an_estimated_norm_never_falls(decay: Decay | None) -> None:
    """It may belong to users whom the shard did not see; the norm of the owner replaces it."""
    first, second = item_of(0), item_of(1)
    pipeline = Pipeline(SHARDS, 2, ListRule(3), decay=decay)
    for user in "uv":
        pipeline.take([Act(user, first, 2.0, 1.0)])
    for number, user in enumerate("uv"):
        pipeline.take([Act(user, second, 1.0, 2.0 + number)])
    pipeline.drain(1)
    before = norm(pipeline, 1, first)
    # The first item leaves both histories, and then the row.
    for number, user in enumerate("vu"):
        pipeline.take([Act(user, item_of(1, but=second), 1.0, 4.0 + number)])
        pipeline.drain(1)
        assert norm(pipeline, 1, first) == before
    shared(pipeline)
    pipeline.take_norms(1)
    pipeline.drain(1)
    assert norm(pipeline, 1, first) == (0.0, 0)
    changed, decreased = pipeline.rows[1].norms.take_changes()
    number = pipeline.rows[1].registry.find(first)
    assert (changed[number], decreased[number]) == (True, True)


def test_a_new_owner_that_looks_norms_up_before_it_has_read_the_log_misses_none() -> None:
    """An update in the log brings an old norm of an item that the stored state does not know."""
    first, second = item_of(0), item_of(1)
    pipeline = Pipeline(SHARDS, 9, ListRule(3))
    acts = [Act("u", first, 2.0, 1.0), Act("u", second, 1.0, 2.0), Act("v", first, 3.0, 3.0)]
    pipeline.take(acts[:2])
    pipeline.exchange_norms()
    pipeline.take(acts[2:])
    pipeline.drain(0)
    pipeline.share(0)
    log = pipeline.log[1]
    assert [type(message) for message in log] == [bytes, NormUpdate]

    pipeline.rows[1] = Pipeline(SHARDS, 9, ListRule(3)).rows[1]
    pipeline.read[1] = 0
    pipeline.take_norms(1)
    assert len(log) == 3
    pipeline.drain(1)
    assert norm(pipeline, 1, first) == (4.0, 1)
    pipeline.take_norms(1)
    pipeline.drain(1)
    assert norm(pipeline, 1, first) == (13.0, 2)
    assert (pipeline.rows[1].norms_seen == pipeline.table.positions)[0]
    assert pipeline.lists() == oracle.lists(acts, 9, 3)


@pytest.mark.parametrize("stored_ahead", ["taken", "seen"])
def test_item_eras_get_the_same_numbers_whatever_norms_were_stored_ahead(
    stored_ahead: str,
) -> None:
    """After a crash a shard may know norms from messages that are still to come."""
    own, other = item_of(1), item_of(0)
    pipeline = Pipeline(SHARDS, 9, ListRule(3), decay=Decay(3_600.0))
    pipeline.take([Act("u", other, 2.0, 1.0)])
    pipeline.take([Act("u", own, 1.0, 1e8)])
    message = pipeline.log[1][0]
    assert isinstance(message, bytes)
    (delta,) = decode_deltas(JOINT_KEY, message)
    eras = []
    for is_replay in (False, True):
        shard = Pipeline(SHARDS, 9, ListRule(3), decay=pipeline.decay).rows[1]
        blocks = shard.admit(delta)
        assert blocks is not None
        number = shard.registry.number([other])
        if is_replay and stored_ahead == "taken":
            shard.norms.taken[number] = True
        if is_replay and stored_ahead == "seen":
            shard.norms.users[number] = 1
        shard.apply(blocks, 0)
        assert isinstance(shard.norms, DecayedNorms)
        eras.append((shard.norms.eras.item.tolist(), shard.norms.eras.era.tolist()))
    assert eras[0] == eras[1]
    assert len(eras[0][0]) == 3


def test_a_table_that_is_behind_a_shard_brings_the_norm_of_a_new_item_later() -> None:
    """The shard came from a worker whose table knew more, and saw the norm's position there."""
    first, second = item_of(0), item_of(1)
    pipeline = Pipeline(SHARDS, 9, ListRule(3))
    pipeline.take([Act("v", first, 3.0, 1.0), Act("w", first, 3.0, 1.0)])
    pipeline.take([Act("u", second, 1.0, 1.0)])
    table = shared(pipeline)
    pipeline.take_norms(1)
    pipeline.drain(1)
    shard = pipeline.rows[1]
    assert (shard.norms_seen == table.positions)[0]

    behind = NormTable(SHARDS)
    lookup = NormLookup(behind, shard)
    pipeline.take([Act("u", first, 2.0, 2.0)])
    pipeline.drain(1)
    assert not lookup.is_new()
    numbers = table.of_shard(0)
    ids = [table.registry.ids[number] for number in numbers.tolist()]
    behind.update(0, ids, table.position[numbers], table.values(numbers), int(table.positions[0]))
    assert not lookup.lacks_any()
    assert lookup.is_new()
    items, found = lookup.lacking()
    assert [shard.registry.ids[number] for number in items.tolist()] == [first]
    assert found.users.tolist() == [2]
    # It is on its way now.
    assert not lookup.is_new()


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("half_life_s", [None, 3_600.0, 3_600_000.0])
@pytest.mark.parametrize("is_forgotten", [False, True])
def test_a_score_is_a_share_of_1_while_a_norm_is_ahead_of_a_row(
    measure: Measure, half_life_s: float | None, is_forgotten: bool
) -> None:
    """The owner of a norm applied what the owner of a row did not: the latest user has left."""
    first, second = item_of(0), item_of(1)
    pipeline = Pipeline(
        SHARDS, 9, ListRule(3, measure=measure), decay=Decay(half_life_s) if half_life_s else None
    )
    old = [Act("v", second, 1.0, 0.0), Act("v", "other", 1.0, 0.0)] if not is_forgotten else []
    pipeline.take([*old, Act("u", second, 5.0, 1e9), Act("u", first, 5.0, 1e9)])
    pipeline.exchange_norms()
    pipeline.forget(["u"])
    late = pipeline.log[0][-1:]
    del pipeline.log[0][-1:]
    shared(pipeline)
    pipeline.take_norms(0)
    pipeline.drain(0)
    assert norm(pipeline, 0, second)[1] == len(old) // 2
    shard = pipeline.rows[0]
    numbers = np.array([shard.registry.find(first)], np.int32)
    assert 0 <= shard.rank(numbers).score[0, 0] <= 1
    pipeline.log[0] += late
    assert first not in pipeline.lists()
