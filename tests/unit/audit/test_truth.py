"""The audit's truth: the counts of a log, by hand and against the oracle."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.audit.log import LogInteractions, read_interactions
from streamapp.audit.truth import gram, live_ratings
from streamapp.config.rules import event_rules
from streamapp.config.settings import Settings
from streamapp.core.ids.role_registry import roles_of
from streamapp.core.list_kinds import BOUGHT_AFTER_VIEW, ITEM
from streamapp.errors import ConfigError
from streamapp.eventlog import LoggedEvent
from streamapp.inspection.counts_merge import Counts
from streamapp.pipelines import pipelines
from tests.property.test_equivalence import KINDS, acts_of, may_be_listed
from tests.support import oracle
from tests.support.oracle import Act
from tests.support.strategies import streams

NOW = 1_700_000_000.0
TYPES = {1.0: "click", 3.0: "add_to_cart", 5.0: "purchase"}


def read(events: list[LoggedEvent]) -> LogInteractions:
    """Read events as `streamapp audit` does under the default settings."""
    settings = Settings(_env_file=None, bought_after_view=True)
    own = pipelines(settings)
    return read_interactions(
        events, event_rules(settings), settings.event_weights, "clicks", NOW + 86_400,
        {BOUGHT_AFTER_VIEW: own[BOUGHT_AFTER_VIEW].event_weights},
    )  # fmt: skip


def count(events: Sequence[tuple[str, str, str, float]], cap: int) -> Counts:
    """Count (user, item, type, seconds after NOW - 100)."""
    log = read([LoggedEvent(user, item, kind, NOW - 100 + ts) for user, item, kind, ts in events])
    return gram(live_ratings(log, cap), len(log.users), log.items)


def cells(counts: Counts) -> dict[tuple[str, str], tuple[float, int]]:
    """Return (dot, support) by pair of items."""
    return {
        (counts.items[row], counts.items[other]): (dot, support)
        for row, other, dot, support in zip(
            counts.rows.tolist(), counts.indices.tolist(),
            counts.dot.tolist(), counts.support.tolist(), strict=True,
        )
    }  # fmt: skip


def test_a_rating_is_the_largest_weight() -> None:
    """Two users on two items: 5 * 1 + 3 * 3, and the repeated click counts nothing."""
    counts = count(
        [("u", "a", "click", 1), ("u", "a", "buy", 2), ("u", "b", "view", 3), ("u", "a", "view", 4),
         ("v", "b", "addtocart", 1), ("v", "a", "add_to_cart", 1)], cap=10,
    )  # fmt: skip

    assert counts.items == ["a", "b"]
    assert counts.sum_sq.tolist() == [25 + 9, 1 + 9]
    assert counts.users.tolist() == [2, 2]
    assert cells(counts) == {("a", "b"): (14, 2), ("b", "a"): (14, 2)}


def test_the_oldest_entry_is_evicted_and_a_tie_goes_by_item_id() -> None:
    """Of `b` and `a`, both of time 1, `a` goes; then the click on `b` makes `c` the oldest."""
    full = [("u", "b", "click", 1), ("u", "a", "click", 1), ("u", "c", "click", 2)]
    assert count(full, cap=2).items == ["b", "c"]

    more = [*full, ("u", "b", "click", 5), ("u", "d", "click", 4)]
    assert count(more, cap=2).items == ["b", "d"]


def test_a_new_item_may_be_the_one_that_is_evicted() -> None:
    """A late event on a full history enters as its oldest entry and leaves at once."""
    assert count([("u", "a", "click", 5), ("u", "b", "purchase", 1)], cap=1).items == ["a"]


def test_an_item_that_comes_back_starts_with_its_new_weight() -> None:
    """The purchase was forgotten with the eviction, and the time with it."""
    counts = count(
        [("u", "a", "purchase", 1), ("u", "b", "click", 2), ("u", "c", "click", 3),
         ("u", "a", "click", 9), ("u", "d", "click", 4)], cap=2,
    )  # fmt: skip

    assert dict(zip(counts.items, counts.sum_sq.tolist(), strict=True)) == {"a": 1, "d": 1}


def test_what_the_app_does_not_count_is_not_counted() -> None:
    """Unknown types are skipped and named, bad events refused by their code."""
    log = read(
        [
            LoggedEvent("u", "a", None, NOW),
            LoggedEvent("u", "b", "scroll", NOW),
            LoggedEvent("u", "", "click", NOW),
            LoggedEvent("u", "é" * 257, "click", NOW),
            LoggedEvent("u", "c", "click", 10.0),
            LoggedEvent("u", "d", "click", NOW + 86_401),
        ]
    )

    assert (log.items, log.weight.tolist(), log.skipped) == (["a"], [1.0], {"scroll": 1})
    assert log.refused == {"missing_id": 1, "id_too_long": 1, "ts_out_of_range": 2}


def test_a_log_without_times_cannot_be_audited() -> None:
    """The record's own time counted, and the log does not know it."""
    with pytest.raises(ConfigError, match="event 2 of the log has no ts"):
        read([LoggedEvent("u", "a", None, NOW), LoggedEvent("u", "a", None, None)])


def test_what_is_skipped_needs_no_time() -> None:
    """Its time would have no meaning."""
    assert read([LoggedEvent("", "", "page", None)]).skipped == {"page": 1}


def test_ignored_users_count_for_popularity_and_in_no_pair() -> None:
    """They belong to no user; the newest time includes theirs."""
    settings = Settings(_env_file=None, ignored_users=("0", "null"))
    events = [("0", "a"), ("u", "a"), ("null", "b"), ("v", "b"), ("u", "c"), ("0", "c")]
    log = read_interactions(
        [LoggedEvent(user, item, "click", NOW + at) for at, (user, item) in enumerate(events)],
        event_rules(settings), settings.event_weights, "clicks", NOW + 86_400,
    )  # fmt: skip
    assert len(log.ts) == 6
    paired = log.paired()
    pairs = zip(paired.user, paired.item, strict=True)
    named = [(paired.users[user], paired.items[item]) for user, item in pairs]
    assert named == [("u", "a"), ("v", "b"), ("u", "c")]
    assert paired.newest_ts == log.newest_ts == NOW + 5
    assert read([LoggedEvent("u", "a", None, NOW)]).paired().users == ["u"]


def test_a_late_event_does_not_bridge_a_pause() -> None:
    """When c comes, the history has begun again with b, though c lies between a and b."""
    log = read(
        [LoggedEvent("u", item, None, NOW + ts) for item, ts in (("a", 0), ("b", 6), ("c", 1))]
    )
    ratings = live_ratings(log, 9, forget_after_s=5.0)
    assert sorted(log.items[number] for number in ratings.item.tolist()) == ["b", "c"]


def test_an_empty_log_has_no_counts() -> None:
    """And is no error."""
    assert count([], cap=3).items == []


@pytest.mark.parametrize("kind", KINDS)
@given(streams(), st.integers(1, 9), st.sampled_from([5.0, math.inf]))
def test_counts_equal_those_of_the_oracle(
    kind: str, acts: list[Act], cap: int, forget_after_s: float
) -> None:
    """Dots, supports, sums of squares and users, also while histories overflow or begin again."""
    log = read([LoggedEvent(act.user, act.item, TYPES[act.weight], act.ts) for act in acts])
    log = {ITEM: log, **log.extra}[kind]
    ratings = live_ratings(log, cap, forget_after_s)
    counts = gram(ratings, len(log.users), log.items, roles_of(kind))

    acts, pairs = acts_of(kind, acts), may_be_listed(kind)
    items, dots, supports = oracle.gram(acts, cap, forget_after_s)
    assert counts.items == items
    np.testing.assert_array_equal(counts.sum_sq, dots.diagonal())
    np.testing.assert_array_equal(counts.users, supports.diagonal())
    assert cells(counts) == {
        (left, right): (dots[i, j], supports[i, j])
        for i, left in enumerate(items)
        for j, right in enumerate(items)
        if pairs(left, right) and supports[i, j]
    }
