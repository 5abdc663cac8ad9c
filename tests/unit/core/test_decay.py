"""Decay, step by step: levels, histories, lists for users, and the audit."""

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from streamapp.audit.comparison import aligned, compare_dots, compare_norms
from streamapp.audit.log import LogInteractions
from streamapp.audit.truth import gram, live_ratings
from streamapp.config.settings import Settings
from streamapp.core.counts.decayed_norms import DecayedNorms
from streamapp.core.counts.era_index import EraIndex
from streamapp.core.histories.decay import BASE, Decay, product, split
from streamapp.core.histories.history import revise
from streamapp.core.histories.marks import newest_ts
from streamapp.core.histories.older_entries import ENTRY, entry_of
from streamapp.core.histories.profiles import Profiles
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.blending import BlendRule, NeighbourLists, blend
from streamapp.core.lists.ranking import ListRule
from streamapp.errors import StateError
from streamapp.inspection.counts_merge import Counts, CountsMerge
from streamapp.pipelines import main_pipeline
from streamapp.store.slot.keys import SlotKeys
from streamapp.store.slot.slot import Slot
from tests.support import oracle
from tests.support.histories import one_user, read, rule
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline

DAY = Decay(86_400.0)
DAY_S = DAY.half_life_s
NOW = 1_700_000_000.0


def applied(histories: list[bytes], acts: Sequence[tuple[str, float, float]], cap: int) -> bytes:
    """Return the history of one user after acts (item, weight, time)."""
    events = one_user(REGISTRY, acts)
    (history,) = revise(histories, events, REGISTRY, rule(cap, decay=DAY)).stored
    return history


def entries(history: bytes) -> dict[str, tuple[float, float, float]]:
    """Return the entries of a stored history: by item the largest weight, level and time."""
    return read(history, REGISTRY, rule(9, decay=DAY))


REGISTRY = Registry(["a", "b", "c"])


def test_a_level_is_the_logarithm_of_what_an_interaction_is_worth() -> None:
    """One day later is one more, twice the weight too; the smallest weight of 1970 is over 0."""
    weight, ts = np.array([1.0, 1.0, 2.0, 8.0]), np.array([0.0, DAY_S, 0.0, 10 * DAY_S])
    assert (DAY.levels(weight, ts) - BASE).tolist() == [0, 1, 1, 13]
    assert BASE == 1_100
    assert DAY.levels(np.array([5e-324]), np.zeros(1))[0] > 0


def test_a_level_is_split_and_two_are_multiplied_without_loss() -> None:
    """The product in units of its era is below 2 ** 9, and a missing value is 0."""
    whole, rest = split(np.array([0.0, 1_100.25, 1_107.5]))
    assert rest.tolist() == [0.0, 2**0.25, 2**0.5]
    assert [part.tolist() for part in split(np.array([0.5, 1.0]))] == [[0, 1], [2**0.5, 1.0]]
    assert whole.tolist() == [0, 1_100, 1_107]
    both = product(int(whole[1] + whole[2]), rest[1], rest[2])
    assert both == math.ldexp(2**0.25 * 2**0.5, 2_207 % 8)


def test_a_purchase_stays_one_however_much_later_a_click_counts_more() -> None:
    """The rating is the level of the click, the weight that of the purchase."""
    early = applied([b""], [("a", 5.0, NOW)], cap=2)
    history = applied([early], [("a", 1.0, NOW + 9 * DAY_S)], 2)
    weight, level, _ = entries(history)["a"]
    assert weight == 5
    assert level == DAY.levels(np.ones(1), np.array([NOW + 9 * DAY_S]))[0]
    assert newest_ts(history, DAY) == NOW + 9 * DAY_S


def test_an_item_that_was_evicted_and_comes_back_has_no_past() -> None:
    """Neither its level nor its weight."""
    acts = [("a", 5.0, NOW), ("b", 1.0, NOW + 1), ("a", 1.0, NOW - DAY_S)]
    history = applied([applied([b""], acts[:2], cap=1)], [("c", 1.0, NOW - 9)], cap=1)
    assert set(entries(history)) == {"b"}
    history = applied([history], [("a", 1.0, NOW + 2)], cap=1)
    assert [weight for weight, _, _ in entries(history).values()] == [1]


def test_older_entries_are_read_as_they_were_written() -> None:
    """20 bytes, and a weight more with decay."""
    assert entry_of(None) == ENTRY
    assert ENTRY.itemsize == 20
    assert set(entry_of(DAY).names or ()) - set(ENTRY.names or ()) == {"weight"}


def test_what_a_user_bought_is_left_out_and_old_interests_weigh_less() -> None:
    """Shares of the largest rating in the history; a purchase counts as one though it faded."""
    old, new = NOW - 3_000 * DAY_S, NOW
    history = applied([b""], [("a", 5.0, old), ("b", 1.0, new - DAY_S), ("c", 1.0, new)], cap=3)
    profiles = Profiles.unpack([b"", history, b""], REGISTRY, rule(3, decay=DAY))
    assert profiles.decayed is not None
    np.testing.assert_allclose(profiles.decayed, [1, 0.5, 0], atol=1e-12)
    assert profiles.rating.tolist() == [1, 1, 5]
    lists = NeighbourLists(
        np.array([-1, 0, 0], np.int32), np.array([0]), np.array([2]), np.array([0, 1], np.int32),
        np.ones(2),
    )  # fmt: skip
    by = BlendRule(top_n=3, depth=3, rated=True, exclude_from=5.0)
    shown = blend(profiles, lists, REGISTRY, by)
    assert shown.item[1, : shown.size[1]].tolist() == [1]
    assert shown.score[1, 0] == pytest.approx(1.5, abs=1e-12)


def test_users_without_a_history_have_no_shares() -> None:
    """Beside others, and alone."""
    for histories in ([], [b""], [b"", b""]):
        profiles = Profiles.unpack(histories, REGISTRY, rule(9, decay=DAY))
        assert profiles.decayed is not None
        assert profiles.decayed.tolist() == []


def test_numbers_of_aged_items_are_in_order_of_first_appearance() -> None:
    """Also when they are read back, and when one comes twice at once."""
    eras = EraIndex(np.array([0, 2, 0], np.int32), np.array([7, 7, 9], np.int32))
    item, era = np.array([0, 1, 0, 1, 2, 1], np.int32), np.array([9, 7, 8, 7, 7, 6], np.int32)
    assert eras.number(item, era).tolist() == [2, 3, 4, 3, 1, 5]
    assert eras.item.tolist() == [0, 2, 0, 1, 0, 1]
    assert eras.era.tolist() == [7, 7, 9, 7, 8, 6]


def collected(pipeline: Pipeline) -> Counts:
    """Return the counts of all shards, as a snapshot reads them from the store."""
    pipeline.exchange_norms()
    collection = CountsMerge(pipeline.table)
    for number, shard in enumerate(pipeline.rows):
        norms = DecayedNorms(
            b"".join(packed for _, packed in shard.norms.packed_changes(shard.position))
        )
        owned = np.flatnonzero(shard.owned).astype(np.int32)
        pipeline.store(number, forget=False)
        stored = pipeline.stored[number]
        rows = [(at, b) if (at, b) != (0, b"") else None
                for at, b in (stored.get(row, (0, b"")) for row in owned.tolist())]  # fmt: skip
        collection.enter(shard.registry.ids, norms, owned)
        collection.add(SLOT, owned, rows, shard.position)
    return collection.finish()


SLOT = Slot(None, SlotKeys("p:", "i0"))  # type: ignore[arg-type]

moments = st.builds(
    Act,
    user=st.sampled_from("uvw"),
    item=st.sampled_from("abcd"),
    weight=st.sampled_from([1.0, 3.0, 5.0]),
    ts=st.integers(0, 4_000).map(lambda day: NOW + day * DAY_S / 4),
    kind=st.just(""),
    order=st.just(""),
    into=st.just(""),
)


def logged(acts: Sequence[Act]) -> LogInteractions:
    """Return acts as an event log holds them."""
    users, items = sorted({act.user for act in acts}), sorted({act.item for act in acts})
    return LogInteractions(
        users, items,
        np.array([users.index(act.user) for act in acts], np.int32),
        np.array([items.index(act.item) for act in acts], np.int32),
        np.array([act.weight for act in acts]), np.array([act.ts for act in acts]), {}, {},
    )  # fmt: skip


@given(st.lists(moments, min_size=1, max_size=25), st.integers(1, 4), st.integers(1, 2))
def test_an_audit_agrees_with_the_definition_and_with_what_is_stored(
    acts: list[Act], cap: int, shards: int
) -> None:
    """Its cosines are those of the oracle; norms, dots and scales are those of the shards."""
    pipeline = Pipeline(shards, cap, ListRule(5), decay=DAY)
    pipeline.take(acts)
    for number in range(shards):
        pipeline.drain(number)
    log = logged(acts)
    truth = gram(live_ratings(log, cap, decay=DAY), len(log.users), log.items)
    want = oracle.faded(acts, cap, DAY_S, 100)
    scores = truth.dot / np.sqrt(truth.sum_sq[truth.rows] * truth.sum_sq[truth.indices])
    for row, other, score in zip(truth.rows, truth.indices, scores, strict=True):
        true = {name: value for name, value, _ in want[truth.items[row]]}
        assert score == pytest.approx(true[truth.items[other]], rel=0, abs=1e-9)
    expected, stored = aligned(truth, collected(pipeline), log.items)
    assert compare_norms(expected, stored, [], 1e-9).different == 0
    assert compare_dots(expected, stored, 1e-9).different == 0
    assert stored.exponent is not None
    shifted = replace(stored, exponent=stored.exponent + 4)
    assert compare_norms(expected, shifted, [], 1e-9).different == len(stored.items)


def test_a_row_that_names_what_its_shard_does_not_know_is_refused() -> None:
    """The norms of a slot hold the numbers that its rows use."""
    pipeline = Pipeline(1, 3, ListRule(5), decay=DAY)
    pipeline.take([Act("u", item, 1.0, NOW) for item in "ab"])
    pipeline.drain(0)
    shard = pipeline.rows[0]
    collection = CountsMerge(pipeline.table)
    owned = np.array([0, 1], np.int32)
    collection.enter(shard.registry.ids, DecayedNorms(b""), owned)
    with pytest.raises(StateError, match="norms lacks"):
        collection.add(SLOT, owned[:1], [(1, shard.packed(0))], 1)


def test_sums_are_told_as_of_a_time() -> None:
    """A rating of 3 a day ago is 1.5 now; one of thousands of half-lives ago is 0."""
    ts = np.array([NOW - DAY_S, NOW - 3_000 * DAY_S])
    whole, rest = split(DAY.levels(np.array([3.0, 3.0]), ts))
    squares = DAY.at(rest * rest, 2 * whole.astype(np.int64), NOW)
    assert squares.tolist() == [pytest.approx(float(Fraction(9, 4)), rel=1e-11), 0.0]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"half_life": 60.0}, "3600"),
        ({"half_life": float("nan")}, "a finite number"),
        ({"half_life": -1.0}, "3600"),
        ({"half_life": 86_400.0, "damping": 1.0}, "DAMPING must be 0 with HALF_LIFE"),
        ({"half_life": 86_400.0, "earliest_ts": -1.0}, "EARLIEST_TS of 0 or more"),
    ],
)
def test_what_has_no_meaning_together_is_refused(values: dict[str, float], said: str) -> None:
    """A half-life that is too short for nine digits, damping without a scale, before 1970."""
    with pytest.raises(ValueError, match=said):
        Settings(**values)  # type: ignore[arg-type]


def test_the_half_life_is_part_of_what_changes_results_where_it_is_on() -> None:
    """A state without decay keeps its fingerprint."""
    assert "half_life" not in main_pipeline(Settings()).results.replace("trending_half_life", "")
    assert '"half_life":86400.0' in main_pipeline(Settings(half_life=86_400.0)).results


def test_a_level_is_split_into_a_whole_part_and_a_ratio() -> None:
    """Level 0 is no rating, and has no ratio."""
    levels = np.array([0.0, 0.25, 0.5, 1.0, 7.25, 1_000.5])
    whole, rest = split(levels)
    assert whole.tolist() == [0, 0, 0, 1, 7, 1_000]
    assert rest.tolist() == [0.0, 2**0.25, 2**0.5, 1.0, 2**0.25, 2**0.5]
