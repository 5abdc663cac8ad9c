"""Core. Blends the rows of a history's items into one list: what to show a user.

The score of item j is the sum over the newest items i of the history, at positions p = 0, 1, ...,
of `weight(p) * similarity(i, j)`, where the similarity is the damped cosine, skewed towards the
norm of either item. Lists follow a total order: score down, then item id up in byte order.
Source: Sarwar et al. 2001, item-based collaborative filtering; damping and position weights as in
session-rec; the skew as in Aiolli 2013, asymmetric cosine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streamapp.core.arrays import Bytes, Floats, Ints, Longs, compiled
from streamapp.core.history import ENTRY
from streamapp.core.norms import Norms
from streamapp.core.ranking import similarity
from streamapp.core.registry import Registry, precedes
from streamapp.core.rows import Rows


@dataclass(frozen=True, slots=True)
class Blend:
    """What makes a user's list; each field changes results.

    Attributes:
        top_n: Most entries of a list; > 0.
        depth: How many of the newest items of a history are used; > 0.
        damping: Added to both norms' squares; >= 0.
        alpha: Share of the norm of the history's item in the similarity, 0 to 1; 0.5 is the cosine.
        fading: Position p weighs `fading ** p`, 0 to 1; None: `1 / (p + 1)`.
        rated: Whether an item also weighs as much as its rating.
        binary: Whether users are counted (supports), not the products of their ratings (dots).
        exclude_from: Items of the history with at least this rating are not listed; 0 excludes all
            of them, infinity none.
    """

    top_n: int
    depth: int
    damping: float = 0.0
    alpha: float = 0.5
    fading: float | None = 1.0
    rated: bool = False
    binary: bool = False
    exclude_from: float = 0.0

    def weights(self, longest: int) -> Floats:
        """Return the weights of the positions that a history of `longest` entries has, float64."""
        positions = np.arange(min(self.depth, longest), dtype=np.float64)
        if self.fading is None:
            return 1.0 / (positions + 1.0)
        return np.power(self.fading, positions)


@dataclass(frozen=True, slots=True)
class Tastes:
    """What users have in their histories, newest first.

    Attributes:
        starts: int64, shape (users + 1,). Those of user u lie at starts[u]:starts[u + 1].
        item: int32. Item numbers; one without a row, or -1, only holds its position.
        rating: float64, > 0.
    """

    starts: Longs
    item: Ints
    rating: Floats

    @classmethod
    def unpack(cls, histories: Sequence[bytes], registry: Registry) -> "Tastes":
        """Return the tastes that histories, packed as `ENTRY`, hold.

        The newest entry is the one that would be evicted last: by time, then by item id.
        """
        stored = np.frombuffer(b"".join(histories), ENTRY)
        sizes = np.array([len(history) for history in histories], np.int64) // ENTRY.itemsize
        starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))
        item = np.ascontiguousarray(stored["item"])
        order = _newest_first(starts, item, np.ascontiguousarray(stored["ts"]), *registry.text)
        return cls(starts, item[order], stored["rating"][order])


class Blended(NamedTuple):
    """The lists of some users, one line a user, best first.

    Attributes:
        size: int32, shape (users,). Entries of each line.
        item: int32, shape (users, top_n). Item numbers; -1 beyond `size`.
        score: float64, shape (users, top_n). All over 0; 0 beyond `size`.
    """

    size: Ints
    item: Ints
    score: Floats


def blend(tastes: Tastes, rows: Rows, norms: Norms, registry: Registry, rule: Blend) -> Blended:
    """Return the list of each user; the rows of the newest items must be present.

    Cost: O(cells of those rows + entries moved).
    """
    starts, sizes, items, supports, dots = rows.cells
    known = min(len(sizes), len(registry))
    return Blended(
        *_blend(
            tastes.starts,
            np.where(tastes.item < known, tastes.item, np.int32(-1)),
            tastes.rating if rule.rated else np.ones_like(tastes.rating),
            tastes.rating >= rule.exclude_from,
            rule.weights(int(np.diff(tastes.starts).max(initial=0))),
            starts,
            sizes,
            items,
            supports if rule.binary else dots,
            norms.users if rule.binary else norms.sum_sq,
            *registry.text,
            registry.scratch,
            rule.top_n,
            rule.damping,
            rule.alpha,
        )
    )


@compiled
def _blend(
    starts: Longs,
    item: Ints,
    rating: Floats,
    excluded: npt.NDArray[np.bool_],
    weights: Floats,
    row_starts: Longs,
    row_sizes: Ints,
    row_items: Ints,
    row_counts: npt.NDArray[Any],
    squares: npt.NDArray[Any],
    text: Bytes,
    ends: Longs,
    scratch: Ints,
    top_n: int,
    damping: float,
    alpha: float,
) -> tuple[Ints, Ints, Floats]:
    """Sum up, per user, at the place that `scratch` gives an item; it is zero before and after."""
    users = len(starts) - 1
    size, listed = np.zeros(users, np.int32), np.full((users, top_n), -1, np.int32)
    score = np.zeros((users, top_n))
    for user in range(users):
        first, last = starts[user], starts[user + 1]
        newest = min(last, first + len(weights))
        cells = 0
        for entry in range(first, newest):
            if item[entry] >= 0:
                cells += row_sizes[item[entry]]
        found, total, places = np.empty(cells, np.int32), np.empty(cells), 0
        for entry in range(first, last):
            if item[entry] >= 0 and excluded[entry]:
                scratch[item[entry]] = -1
        for entry in range(first, newest):
            row = item[entry]
            if row < 0:
                continue
            weight = weights[entry - first] * rating[entry]
            own = squares[row] + damping
            for cell in range(row_starts[row], row_starts[row] + row_sizes[row]):
                other = row_items[cell]
                if scratch[other] < 0:
                    continue
                if alpha == 0.5:
                    value = similarity(row_counts[cell], squares[row], squares[other], damping)
                else:
                    scale = own**alpha * (squares[other] + damping) ** (1.0 - alpha)
                    value = row_counts[cell] / scale if scale > 0 else 0.0
                if scratch[other] == 0:
                    found[places], total[places] = other, 0.0
                    places += 1
                    scratch[other] = places
                total[scratch[other] - 1] += weight * value
        for entry in range(first, last):
            if item[entry] >= 0:
                scratch[item[entry]] = 0
        for place in range(places):
            scratch[found[place]] = 0
            size[user] = _insert(
                listed[user], score[user], size[user], found[place], total[place], text, ends
            )
    return size, listed, score


@compiled
def _insert(
    listed: Ints, score: Floats, size: int, item: int, value: float, text: Bytes, ends: Longs
) -> int:
    """Put an item at its place of a list, if it has one; return how many entries that makes."""
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


@compiled
def _newest_first(starts: Longs, item: Ints, ts: Floats, text: Bytes, ends: Longs) -> Longs:
    """Return the order of each history by insertion, from its end: most are sorted already."""
    order = np.empty(len(item), np.int64)
    for user in range(len(starts) - 1):
        first, last = starts[user], starts[user + 1]
        for taken in range(last - first):
            entry, place = last - 1 - taken, first + taken
            while place > first and (
                ts[entry] > ts[order[place - 1]]
                or (
                    ts[entry] == ts[order[place - 1]]
                    and precedes(text, ends, item[order[place - 1]], item[entry])
                )
            ):
                order[place] = order[place - 1]
                place -= 1
            order[place] = entry
    return order
