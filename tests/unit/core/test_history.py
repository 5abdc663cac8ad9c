"""The history rule, by hand."""

from collections.abc import Sequence

import numpy as np

from streamapp.core.histories.history import ENTRY, Interactions, Revisions, revise
from streamapp.core.ids.registry import Registry


def revised(acts: Sequence[tuple[str, float, float]], cap: int, before: bytes = b"") -> Revisions:
    """Apply (item, weight, ts) acts of one user to a stored history."""
    registry = Registry(["a", "b", "c", "d"])
    interactions = Interactions(
        starts=np.array([0, len(acts)], np.int64),
        item=registry.number([item for item, _, _ in acts]),
        weight=np.array([weight for _, weight, _ in acts]),
        ts=np.array([ts for _, _, ts in acts]),
    )
    return revise([before], interactions, registry, cap)


def history(revisions: Revisions) -> dict[str, tuple[float, float]]:
    """Return the one user's history after, item -> (rating, ts)."""
    (packed,) = revisions.histories()
    return {
        "abcd"[entry["item"]]: (float(entry["rating"]), float(entry["ts"]))
        for entry in np.frombuffer(packed, ENTRY)
    }


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
    before = revised([("a", 1, 10), ("b", 3, 20), ("c", 1, 30)], cap=3).histories()[0]
    revision = revised([("b", 5, 40), ("d", 1, 50)], cap=3, before=before)
    got = {
        "abcd"[item]: (old, new)
        for item, old, new in zip(revision.item, revision.before, revision.after, strict=True)
    }
    assert got == {"a": (1, 0), "b": (3, 5), "c": (1, 1), "d": (0, 1)}
    assert revision.as_of.tolist() == [50]
