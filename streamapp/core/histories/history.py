"""The history rule: how a user's interactions change the user's history.

A history has at most `cap` distinct items, each with a rating and a last time. An interaction with
an item of the history raises its rating to the larger of the two and its time to the later of the
two. A new item enters with its weight. While the history is over the cap, the entry with the
smallest (time, item id) is evicted. An interaction that comes long after the newest entry starts a
new history, so a user who was idle for long may also be forgotten (ADR-0007).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from streamapp.core.arrays.array_types import Bytes, Floats, Ints, Longs
from streamapp.core.arrays.columns import column
from streamapp.core.arrays.compiled import compiled
from streamapp.core.histories.decay import Decay
from streamapp.core.ids.registry import Registry, precedes

ENTRY = np.dtype([("item", "<i4"), ("rating", "<f8"), ("ts", "<f8")])
"""One entry of a stored history, 20 bytes."""

DECAYED_ENTRY = np.dtype([*ENTRY.descr, ("weight", "<f8")])
"""One entry of a stored history with decay, 28 bytes.

Its rating is a level. Its weight is the largest since the item entered, without decay."""


def entry_of(decay: Decay | None) -> np.dtype[Any]:
    """Return the type of a stored entry."""
    return DECAYED_ENTRY if decay else ENTRY


@dataclass(frozen=True, slots=True)
class Interactions:
    """Interactions grouped by user, in the order of each user's partition.

    Attributes:
        starts: int64, shape (users + 1,). Those of user u lie at starts[u]:starts[u + 1].
        item: int32. Item numbers.
        weight: float64, > 0.
        ts: float64. Event time in seconds.
    """

    starts: Longs
    item: Ints
    weight: Floats
    ts: Floats


@dataclass(frozen=True, slots=True)
class Revisions:
    """Users' histories before and after some interactions, one block of entries a user.

    Attributes:
        starts: int64, shape (users + 1,). The block of user u lies at starts[u]:starts[u + 1].
        item: int32. Item numbers, distinct within a block.
        before: float64. Rating before; 0 if the item was not in the history.
        after: float64. Rating after; 0 if the item is no longer in the history.
        ts: float64. Last event time of the entry in seconds.
        as_of: float64, shape (users,). Newest event time of each history after.
        weight: float64. With decay, the largest weight behind each entry after; `before` and
            `after` then are levels. None: without decay.
    """

    starts: Longs
    item: Ints
    before: Floats
    after: Floats
    ts: Floats
    as_of: Floats
    weight: Floats | None = None

    @classmethod
    def forgetting(cls, histories: Sequence[bytes], decay: Decay | None = None) -> "Revisions":
        """Return the revisions that empty these histories, which are packed by `entry_of`."""
        starts, stored = _unpacked(histories, entry_of(decay))
        nothing = np.zeros(len(stored))
        return cls(
            starts,
            column(stored, "item"),
            column(stored, "rating"),
            nothing,
            column(stored, "ts"),
            np.full(len(histories), -np.inf),
            nothing if decay else None,
        )

    def histories(self) -> list[bytes]:
        """Return each user's history after, packed by `entry_of`. Cost: O(entries)."""
        alive = self.after > 0
        packed = np.empty(int(alive.sum()), ENTRY if self.weight is None else DECAYED_ENTRY)
        packed["item"], packed["rating"] = self.item[alive], self.after[alive]
        packed["ts"] = self.ts[alive]
        if self.weight is not None:
            packed["weight"] = self.weight[alive]
        ends = np.concatenate(([0], np.cumsum(alive)))[self.starts] * packed.itemsize
        whole, cuts = packed.tobytes(), ends.tolist()
        return [whole[start:end] for start, end in pairwise(cuts)]


def newest_ts(history: bytes, decay: Decay | None = None) -> float:
    """Return the newest time of a packed history, which is not empty, in seconds."""
    return float(np.frombuffer(history, entry_of(decay))["ts"].max())


def revise(
    histories: Sequence[bytes],
    interactions: Interactions,
    registry: Registry,
    cap: int,
    forget_after_s: float = np.inf,
    decay: Decay | None = None,
) -> Revisions:
    """Apply the history rule to the users of `interactions`, one after the other.

    Args:
        histories: Each user's history before, packed by `entry_of`; b"" for a new user.
        interactions: Of as many users as `histories` has.
        registry: The items' ids; they break ties of time when an entry is evicted.
        cap: Most entries of a history; > 0.
        forget_after_s: An interaction that is later than the newest entry by more than this starts
            a new history.
        decay: How ratings decay; None: not at all.

    Cost: O(history) per interaction, and as much again per eviction; twice that with decay.
    """
    starts, stored = _unpacked(histories, entry_of(decay))
    item, ts = column(stored, "item"), column(stored, "ts")

    def ruled(before: str, weight: Floats) -> tuple[Longs, Ints, Floats, Floats, Floats, Floats]:
        rating = column(stored, before)
        return _revise(starts, item, rating, ts, interactions.starts, interactions.item,
                       weight, interactions.ts, cap, forget_after_s, *registry.text)  # fmt: skip

    if decay is None:
        return Revisions(*ruled("rating", interactions.weight))
    # Evictions do not depend on ratings, so both results have the same entries.
    _, _, _, weight, _, _ = ruled("weight", interactions.weight)
    levels = decay.levels(interactions.weight, interactions.ts)
    return Revisions(*ruled("rating", levels), weight)


def _unpacked(histories: Sequence[bytes], entry: np.dtype[Any]) -> tuple[Longs, Any]:
    """Return where each history starts, int64, shape (histories + 1,), and all entries."""
    stored = np.frombuffer(b"".join(histories), entry)
    sizes = np.array([len(history) for history in histories], np.int64) // entry.itemsize
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes))), stored


@compiled
def _revise(
    old_starts: Longs,
    old_item: Ints,
    old_rating: Floats,
    old_ts: Floats,
    new_starts: Longs,
    new_item: Ints,
    new_weight: Floats,
    new_ts: Floats,
    cap: int,
    forget_after_s: float,
    text: Bytes,
    ends: Longs,
) -> tuple[Longs, Ints, Floats, Floats, Floats, Floats]:
    users = len(new_starts) - 1
    most = len(old_item) + len(new_item)
    item, before = np.empty(most, np.int32), np.zeros(most)
    after, ts = np.zeros(most), np.empty(most)
    starts, as_of = np.zeros(users + 1, np.int64), np.full(users, -np.inf)
    end = 0
    for user in range(users):
        start, alive, newest = end, 0, -np.inf
        for entry in range(old_starts[user], old_starts[user + 1]):
            item[end], before[end], ts[end] = old_item[entry], old_rating[entry], old_ts[entry]
            after[end] = old_rating[entry]
            newest = max(newest, ts[end])
            end += 1
            alive += 1
        for event in range(new_starts[user], new_starts[user + 1]):
            if alive and new_ts[event] - newest > forget_after_s:
                after[start:end] = 0
                alive, newest = 0, -np.inf
            newest = max(newest, new_ts[event])
            entry = start
            while entry < end and item[entry] != new_item[event]:
                entry += 1
            if entry == end:
                item[end] = new_item[event]
                end += 1
            if after[entry] > 0:
                after[entry] = max(after[entry], new_weight[event])
                ts[entry] = max(ts[entry], new_ts[event])
            else:
                after[entry], ts[entry] = new_weight[event], new_ts[event]
                alive += 1
            while alive > cap:
                after[_oldest(item, after, ts, start, end, text, ends)] = 0
                alive -= 1
        as_of[user] = newest
        starts[user + 1] = end
    return starts, item[:end], before[:end], after[:end], ts[:end], as_of


@compiled
def _oldest(
    item: Ints, after: Floats, ts: Floats, start: int, end: int, text: Bytes, ends: Longs
) -> int:
    oldest = -1
    for entry in range(start, end):
        if after[entry] > 0 and (
            oldest < 0
            or ts[entry] < ts[oldest]
            or (ts[entry] == ts[oldest] and precedes(text, ends, item[entry], item[oldest]))
        ):
            oldest = entry
    return oldest
