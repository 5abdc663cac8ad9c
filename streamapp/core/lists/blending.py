"""Blends the lists of a history's items into one list: what to show a user.

The score of item j is the sum over the newest items i of the history, at positions p = 0, 1, ...,
of `weight(p) * score_i(j)`, where score_i(j) is what the list of i says of j. Lists follow a total
order: score down, then item id up in byte order.
Source: Sarwar et al. 2001, item-based collaborative filtering; position weights as in session-rec.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from streamapp.core.arrays.compiled import compiled
from streamapp.core.arrays.dtypes import Bytes, Floats, Ints, Longs
from streamapp.core.histories.profiles import Profiles
from streamapp.core.ids.registry import Registry, precedes


@dataclass(frozen=True, slots=True)
class Blend:
    """What makes a user's list of the lists of items; each field changes results.

    Attributes:
        top_n: Most entries of a list; > 0.
        depth: How many of the newest items of a history are used; > 0.
        fading: Position p weighs `fading ** p`, 0 to 1; None: `1 / (p + 1)`.
        rated: Whether an item also weighs as much as its rating, where interactions fade as a share
            of the largest in its history.
        exclude_from: Items of the history with at least this rating, before it fades, are not
            listed; 0 excludes all of them, infinity none.
    """

    top_n: int
    depth: int
    fading: float | None = 1.0
    rated: bool = False
    exclude_from: float = 0.0

    def weights(self, longest: int) -> Floats:
        """Return the weights of the positions that a history of `longest` entries has, float64."""
        positions = np.arange(min(self.depth, longest), dtype=np.float64)
        if self.fading is None:
            return 1.0 / (positions + 1.0)
        return np.power(self.fading, positions)


@dataclass(frozen=True, slots=True)
class NeighbourLists:
    """The lists of items, one behind the other.

    Attributes:
        row: int32, shape (items the registry knows, or fewer). The line of each item's list; -1 for
            none, which is also what items beyond the end have.
        starts: int64, shape (lines,). Those of a line lie at starts[line]:ends[line].
        ends: int64, shape (lines,).
        item: int32. Numbers that the registry knows, each at most once a line, in any order.
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
        because: int32, shape (users, top_n). The item of the history that adds most to the entry,
            the newest of those that add as much; -1 for none.
    """

    size: Ints
    item: Ints
    score: Floats
    because: Ints

    def only(self, lines: Longs) -> "Blended":
        """Return some of the lines."""
        return Blended(self.size[lines], self.item[lines], self.score[lines], self.because[lines])


def blend(
    profiles: Profiles, neighbours: NeighbourLists, registry: Registry, rule: Blend
) -> Blended:
    """Return the list of each user.

    Scores are summed from the newest item on, so equal input gives equal bits.

    Cost: O(entries of the histories and of the lists used + entries moved).
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
    """Sum up, per user, at the place that `scratch` gives an item; it is zero before and after."""
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
        places = 0
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
                place = scratch[other] - 1
                if place < -1:
                    continue
                if place == -1:
                    place = places
                    found[place], total[place] = other, 0.0
                    most[place], most_by[place] = added, item[position]
                    places += 1
                    scratch[other] = places
                total[place] += added
                if added > most[place]:
                    most[place], most_by[place] = added, item[position]
        best, points, held = listed[user], score[user], 0
        for place in range(places):
            if held == top_n and total[place] < points[top_n - 1]:
                continue
            held = insert(best, points, held, found[place], total[place], text, ends)
        for entry in range(held):
            because[user, entry] = most_by[scratch[best[entry]] - 1]
        size[user] = held
        for place in range(places):
            scratch[found[place]] = 0
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
    """Put an item at its place of a list of `size` entries, if it has one.

    The list has as many entries as there is room for, and only such with a value over 0.

    Args:
        listed: int32, shape (room,). Item numbers, best first.
        score: float64, shape (room,). Of each entry.
        size: Entries of the list.
        item: Number of an item that is not in the list.
        value: Its score.
        text: The ids of all items.
        ends: Where each of them ends.

    Returns:
        How many entries the list has then.

    Cost: O(entries moved).
    """
    place = size
    while place > 0 and (
        value > score[place - 1]
        or (value == score[place - 1] and precedes(text, ends, item, listed[place - 1]))
    ):
        place -= 1
    if place == len(listed) or value <= 0:
        return size
    full = min(size + 1, len(listed))
    for after in range(full - 1, place, -1):
        listed[after], score[after] = listed[after - 1], score[after - 1]
    listed[place], score[place] = item, value
    return full
