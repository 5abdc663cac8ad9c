"""The history rule, by hand."""

from collections.abc import Sequence

import numpy as np

from streamapp.core.histories.event_types import NO_ORDER
from streamapp.core.histories.history import EVERY_ITEM, Interactions, Revisions, revise
from streamapp.core.histories.marks import order_number
from streamapp.core.ids.registry import Registry
from tests.support.histories import TYPES, one_user, read, rule

REGISTRY = Registry(["a", "b", "c", "d"])


def revised(acts: Sequence[tuple[str, float, float]], cap: int, before: bytes = b"") -> Revisions:
    """Apply (item, weight, ts) acts of one user to a stored history."""
    return revise([before], one_user(REGISTRY, acts), REGISTRY, rule(cap))


def history(revisions: Revisions) -> dict[str, tuple[float, float]]:
    """Return the one user's history after, item -> (rating, ts)."""
    (stored,) = revisions.stored
    entries = read(stored, REGISTRY, rule(9))
    return {item: (rating, ts) for item, (_, rating, ts) in entries.items()}


def test_a_rating_rises_to_the_largest_weight_and_the_time_to_the_latest() -> None:
    """A weaker or an earlier interaction lowers nothing."""
    got = history(revised([("a", 5, 10), ("a", 1, 30), ("a", 3, 20)], cap=3))
    assert got == {"a": (5, 30)}


def test_over_the_cap_the_oldest_entry_leaves_and_ties_go_by_item_id() -> None:
    """The smallest (time, item id) is evicted."""
    assert set(history(revised([("b", 1, 10), ("a", 1, 10), ("c", 1, 20)], cap=2))) == {"b", "c"}


def test_a_late_event_may_be_evicted_at_once() -> None:
    """An item older than everything in a full history does not stay."""
    assert set(history(revised([("b", 1, 20), ("a", 1, 30), ("c", 5, 10)], cap=2))) == {"a", "b"}


def test_an_item_that_left_comes_back_with_its_new_weight() -> None:
    """The rating counts since the item entered the history, not for ever."""
    acts = [("a", 5, 10), ("b", 1, 20), ("c", 1, 30), ("a", 1, 40)]
    assert history(revised(acts, cap=2)) == {"c": (1, 30), "a": (1, 40)}


def test_a_revision_tells_what_was_and_what_is() -> None:
    """Items that stayed, rose, entered and left are all in the block."""
    before = revised([("a", 1, 10), ("b", 3, 20), ("c", 1, 30)], cap=3).stored[0]
    revision = revised([("b", 5, 40), ("d", 1, 50)], cap=3, before=before)
    got = {
        "abcd"[item]: (old, new)
        for item, old, new in zip(revision.item, revision.before, revision.after, strict=True)
    }
    assert got == {"a": (1, 0), "b": (3, 5), "c": (1, 1), "d": (0, 1)}
    assert revision.as_of.tolist() == [50]


def acted(*acts: tuple[str, str, float] | tuple[str, str, float, str]) -> dict[str, float]:
    """Return the ratings after (type, item, ts, order) events of one user, each in its own cut."""
    stored = b""
    for kind, item, ts, *order in acts:
        events = Interactions(
            np.array([0, 1]),
            REGISTRY.number([item]) if item else np.array([EVERY_ITEM], np.int32),
            TYPES.numbers([kind]),
            np.array([ts]),
            np.array([order_number(order[0]) if order else NO_ORDER]),
        )
        (stored,) = revise([stored], events, REGISTRY, rule(2)).stored
    return {item: rating for item, (_, rating, _) in read(stored, REGISTRY, rule(2)).items()}


def test_a_rating_falls_to_the_largest_weight_that_is_left() -> None:
    """Of several types; an item with none left leaves."""
    seen = ("click", "a", 1), ("add_to_cart", "a", 2), ("purchase", "a", 3)
    assert acted(*seen, ("refund", "a", 4)) == {"a": 3}
    assert acted(*seen, ("refund", "a", 4), ("remove_from_cart", "a", 5)) == {"a": 1}
    assert acted(*seen, ("remove_from_cart", "a", 5)) == {"a": 5}
    assert acted(*seen[1:], ("refund", "a", 4), ("remove_from_cart", "a", 5)) == {}


def test_a_refund_finds_the_purchases_of_its_order() -> None:
    """Of one item of the order, or of all; without an order, every purchase of the item."""
    bought = ("purchase", "a", 1, "o1"), ("purchase", "b", 1, "o1"), ("purchase", "a", 2, "o2")
    assert acted(*bought, ("refund", "", 9, "o1")) == {"a": 5}
    assert acted(*bought, ("refund", "a", 9, "o1")) == {"a": 5, "b": 5}
    assert acted(*bought, ("refund", "a", 9, "o1"), ("refund", "a", 9, "o2")) == {"b": 5}
    assert acted(*bought, ("refund", "a", 9, "o2"), ("refund", "", 9, "o1")) == {}
    assert acted(*bought, ("refund", "a", 9)) == {"b": 5}
    assert acted(*bought, ("refund", "", 9, "o3")) == {"a": 5, "b": 5}


def test_an_order_takes_back_no_purchase_without_one() -> None:
    """And so a refund that is sent twice changes nothing."""
    bought = ("purchase", "a", 1), ("purchase", "a", 2, "o1")
    refund = "refund", "a", 9, "o1"
    assert acted(*bought, refund, refund) == {"a": 5}
    assert acted(*bought[:1], refund) == {"a": 5}


def test_an_eviction_is_not_taken_back() -> None:
    """The item that had to leave stays away when a newer one leaves too."""
    acts = ("click", "a", 1), ("click", "b", 2), ("purchase", "c", 3), ("refund", "c", 4)
    assert acted(*acts) == {"b": 1}


def test_what_is_left_dates_the_item() -> None:
    """After the refund, a is as old as its click, so it is evicted before b."""
    acts = ("click", "a", 1), ("click", "b", 2), ("purchase", "a", 3), ("refund", "a", 4)
    assert acted(*acts, ("click", "c", 5)) == {"b": 1, "c": 1}


def test_a_ninth_order_of_an_item_forgets_the_oldest() -> None:
    """So the refund of the oldest finds nothing, and without the others nothing is left."""
    bought = [("purchase", "a", number, f"o{number}") for number in range(9)]
    refunds = [("refund", "a", 99, f"o{number}") for number in range(9)]
    assert acted(*bought, *refunds[:8]) == {"a": 5}
    assert acted(*bought, *refunds[1:]) == {}


def test_a_history_that_is_forgotten_begins_again() -> None:
    """Also in one cut, with what came before."""
    acts = ("purchase", "a", 1), ("hide", "b", 2), ("forget", "", -np.inf), ("click", "a", 1)
    assert acted(*acts) == {"a": 1}
    assert acted(*acts[:3]) == {}
