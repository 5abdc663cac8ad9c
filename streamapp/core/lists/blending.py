"""Blends the lists of the items in a history into one list for the user.

The score of item j is the sum over the newest items i of the history, at positions p = 0, 1, ...,
of `weight(p) * score_i(j)`, where score_i(j) is the score of j in the list of i. Lists follow a
total order: score down, then item id up in byte order.
Source: Sarwar et al. 2001, item-based collaborative filtering; position weights as in session-rec.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from streamapp.core.arrays.array_types import Bytes, Floats, Ints, Longs
from streamapp.core.arrays.compiled import compiled
from streamapp.core.histories.profiles import Profiles
from streamapp.core.ids.registry import Registry, precedes


@dataclass(frozen=True, slots=True)
class BlendRule:
    """How lists of items become a list for a user; each field changes results.

    Attributes:
        top_n: Most entries of a list; > 0.
        depth: How many of the newest items of a history are used; > 0.
        fading: Position p weighs `fading ** p`, 0 to 1; None: `1 / (p + 1)`.
        rated: Whether the weight of an item is multiplied by its rating; with decay, by the share
            of the largest rating in the history.
        exclude_from: Items of the history with at least this rating, without decay, are not
            listed; 0 excludes all of them, infinity none.
    """

    top_n: int
    depth: int
    fading: float | None = 1.0
    rated: bool = False
    exclude_from: float = 0.0

    def weights(self, longest: int) -> Floats:
        """Return the weights of the positions of a history with `longest` entries, float64."""
        positions = np.arange(min(self.depth, longest), dtype=np.float64)
        if self.fading is None:
            return 1.0 / (positions + 1.0)
        return np.power(self.fading, positions)


@dataclass(frozen=True, slots=True)
class NeighbourLists:
    """The lists of items, one behind the other.

    Attributes:
        row: int32, by item. The line of the item's list; -1 for an item without one. An item beyond
            the end has no list.
        starts: int64, shape (lines,). Entries of a line lie at starts[line]:ends[line].
        ends: int64, shape (lines,).
        item: int32. Item numbers of the registry, each at most once a line, in any order.
        score: float64. Of each entry.
    """

    row: Ints
    starts: Longs
    ends: Longs
    item: Ints
    score: Floats


class Blended(NamedTuple):
    """The lists of some users, one line a user, best first.

    Attributes:
        size: int32, shape (users,). Entries of each line.
        item: int32, shape (users, top_n). Item numbers; -1 beyond `size`.
        score: float64, shape (users, top_n). All over 0; 0 beyond `size`.
        because: int32, shape (users, top_n). The item of the history that adds most to the score,
            the newest of several; -1 for none.
    """

    size: Ints
    item: Ints
    score: Floats
    because: Ints

    def only(self, lines: Longs) -> "Blended":
        """Return some of the lines."""
        return Blended(self.size[lines], self.item[lines], self.score[lines], self.because[lines])


def blend(
    profiles: Profiles, neighbours: NeighbourLists, registry: Registry, rule: BlendRule
) -> Blended:
    """Return the list of each user.

    Scores are summed up from the newest item on, so equal input gives equal bits.

    Args:
        profiles: The histories.
        neighbours: The lists of their items.
        registry: The items' ids.
        rule: How the lists are blended.

    Cost: O(entries of the histories and of the lists in use + entries moved).
    """
    return Blended(
        *_blend(
            profiles.starts,
            profiles.item,
            profiles.rating,
            profiles.rating if profiles.decayed is None else profiles.decayed,
            rule.weights(int(np.diff(profiles.starts).max(initial=0))),
            neighbours.row,
            neighbours.starts,
            neighbours.ends,
            neighbours.item,
            neighbours.score,
            *registry.text,
            registry.scratch,
            rule.top_n,
            rule.rated,
            rule.exclude_from,
        )
    )


@compiled
def _blend(
    starts: Longs,
    item: Ints,
    rating: Floats,
    faded: Floats,
    weights: Floats,
    row: Ints,
    list_starts: Longs,
    list_ends: Longs,
    list_item: Ints,
    list_score: Floats,
    text: Bytes,
    ends: Longs,
    scratch: Ints,
    top_n: int,
    rated: bool,
    exclude_from: float,
) -> tuple[Ints, Ints, Floats, Ints]:
    """Sum up per user. `scratch` has the index of an item plus 1; it is zero before and after."""
    users = len(starts) - 1
    size, listed = np.zeros(users, np.int32), np.full((users, top_n), -1, np.int32)
    score, because = np.zeros((users, top_n)), np.full((users, top_n), -1, np.int32)
    found, total = np.empty(0, np.int32), np.empty(0)
    most, most_by = np.empty(0), np.empty(0, np.int32)
    for user in range(users):
        first, last = starts[user], starts[user + 1]
        newest = min(last, first + len(weights))
        entries = 0
        for position in range(first, newest):
            line = _line(row, item[position])
            if line >= 0:
                entries += list_ends[line] - list_starts[line]
        if entries > len(found):
            found, total = np.empty(entries, np.int32), np.empty(entries)
            most, most_by = np.empty(entries), np.empty(entries, np.int32)
        count = 0
        for position in range(first, last):
            if 0 <= item[position] < len(scratch) and rating[position] >= exclude_from:
                scratch[item[position]] = -1
        for position in range(first, newest):
            line = _line(row, item[position])
            if line < 0:
                continue
            weight = weights[position - first] * (faded[position] if rated else 1.0)
            for entry in range(list_starts[line], list_ends[line]):
                other, added = list_item[entry], weight * list_score[entry]
                index = scratch[other] - 1
                if index < -1:
                    continue
                if index == -1:
                    index = count
                    found[index], total[index] = other, 0.0
                    most[index], most_by[index] = added, item[position]
                    count += 1
                    scratch[other] = count
                total[index] += added
                if added > most[index]:
                    most[index], most_by[index] = added, item[position]
        best, points, held = listed[user], score[user], 0
        for index in range(count):
            if held == top_n and total[index] < points[top_n - 1]:
                continue
            held = insert(best, points, held, found[index], total[index], text, ends)
        for entry in range(held):
            because[user, entry] = most_by[scratch[best[entry]] - 1]
        size[user] = held
        for index in range(count):
            scratch[found[index]] = 0
        for position in range(first, last):
            if 0 <= item[position] < len(scratch):
                scratch[item[position]] = 0
    return size, listed, score, because


@compiled
def _line(row: Ints, item: int) -> int:
    """Return the line of an item's list; -1 for none."""
    return int(row[item]) if 0 <= item < len(row) else -1


@compiled
def insert(
    listed: Ints, score: Floats, size: int, item: int, value: float, text: Bytes, ends: Longs
) -> int:
    """Insert an item at its rank into a list of bounded length, if its score is high enough.

    Args:
        listed: int32, shape (top_n,). Item numbers, best first.
        score: float64, shape (top_n,). Of each entry, over 0.
        size: Entries of the list.
        item: Number of an item that is not in the list.
        value: Its score.
        text: The ids of all items.
        ends: Where each of them ends.

    Returns:
        The new number of entries.

    Cost: O(entries moved).
    """
    rank = size
    while rank > 0 and (
        value > score[rank - 1]
        or (value == score[rank - 1] and precedes(text, ends, item, listed[rank - 1]))
    ):
        rank -= 1
    if rank == len(listed) or value <= 0:
        return size
    full = min(size + 1, len(listed))
    for after in range(full - 1, rank, -1):
        listed[after], score[after] = listed[after - 1], score[after - 1]
    listed[rank], score[rank] = item, value
    return full
