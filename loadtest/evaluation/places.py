"""Places: the rank of one item in a list, computed without the list.

An item never lowers a score, so scores only rise as the history is read. If an item is ahead of the
answer by a partial score, it is ahead by the full score as well. If as many items are ahead of the
answer as a list is long, the answer is not in the list. Most answers are not, and for most of those
this is known after the newest items. Every score equals that of a list to the last bit.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from loadtest.evaluation.engine import Counts
from loadtest.evaluation.variant import Variant
from streamapp.core.arrays.array_types import Bytes, Floats, Ints, Longs
from streamapp.core.arrays.compiled import compiled
from streamapp.core.histories.profiles import Profiles
from streamapp.core.ids.registry import precedes
from streamapp.core.lists.ranking import similarity


class Places:
    """The ranks of items in the lists that one variant makes of the current counts."""

    def __init__(self, counts: Counts, variant: Variant) -> None:
        self._counts, self._variant = counts, variant
        self._squares: Floats = np.zeros(0)
        self._powers: Floats = np.zeros(0)

    def place(self, profiles: Profiles, item: int) -> int:
        """Return the rank of an item in the list of one user, from 1; 0 if it is not there.

        Args:
            profiles: The profile of the user, one line.
            item: Number of the item; -1 for an unknown one.

        Cost: O(items known + cells of the rows used), the latter mostly for the newest items only.
        """
        similar, rule = self._variant.similarity, self._variant.blend
        if item < 0 or not len(profiles.item):
            return 0
        if similar.neighbours is not None:
            line = self._counts.lists(profiles, self._variant)[0].tolist()
            return line.index(item) + 1 if item in line else 0
        rows, norms, registry = self._counts
        starts, sizes, others, supports, dots = rows.cells
        squares = norms.users if similar.binary else norms.sum_sq
        weights = rule.weights(len(profiles.item))
        if rule.rated:
            weights = weights * profiles.rating[: len(weights)]
        return _place(
            item,
            profiles.item,
            profiles.rating,
            weights,
            starts,
            sizes,
            others,
            supports if similar.binary else dots,
            squares,
            self._renewed(squares),
            *registry.text,
            rule.top_n,
            rule.exclude_from,
            similar.damping,
            similar.alpha,
        )

    def _renewed(self, squares: npt.NDArray[Any]) -> Floats:
        """Return the powers of the norms' squares; only those of changed norms are computed."""
        similar = self._variant.similarity
        if similar.alpha != 0.5:
            if len(self._squares) != len(squares):
                self._squares, self._powers = np.full(len(squares), np.nan), np.zeros(len(squares))
            _renew(squares, self._squares, self._powers, similar.damping, 1.0 - similar.alpha)
        return self._powers


@compiled
def _renew(
    squares: npt.NDArray[Any], known: Floats, powers: Floats, damping: float, exponent: float
) -> None:
    for item in range(len(squares)):
        if squares[item] != known[item]:
            known[item], powers[item] = squares[item], (squares[item] + damping) ** exponent


@compiled
def _place(
    item: int,
    held: Ints,
    rating: Floats,
    weights: Floats,
    row_starts: Longs,
    row_sizes: Ints,
    row_items: Ints,
    row_counts: npt.NDArray[Any],
    squares: npt.NDArray[Any],
    powers: Floats,
    text: Bytes,
    ends: Longs,
    top_n: int,
    exclude_from: float,
    damping: float,
    alpha: float,
) -> int:
    # Items that may not be listed stay below every score.
    total = np.zeros(len(squares))
    for position in range(len(held)):
        if rating[position] >= exclude_from:
            if held[position] == item:
                return 0
            if 0 <= held[position] < len(total):
                total[held[position]] = -np.inf
    newest = held[: len(weights)]
    known = (newest >= 0) & (newest < len(row_sizes))
    rows = newest[known]
    weight = weights[known]
    cells = row_starts, row_sizes, row_items, row_counts
    score = _score(item, rows, weight, cells, squares, powers, damping, alpha)
    if score <= 0:
        return 0
    total[item] = -np.inf
    before = 0
    for place in range(len(rows)):
        own = _own(squares[rows[place]], damping, alpha)
        start = row_starts[rows[place]]
        for cell in range(start, start + row_sizes[rows[place]]):
            other = row_items[cell]
            part = total[other]
            value = _value(row_counts[cell], own, other, squares, powers, damping, alpha)
            total[other] = part + weight[place] * value
            if total[other] >= score and part <= score:
                before += _passes(part, total[other], score, precedes(text, ends, other, item))
                if before >= top_n:
                    return 0
    return before + 1


@compiled
def _score(
    item: int,
    rows: Ints,
    weight: Floats,
    cells: tuple[Longs, Ints, Ints, npt.NDArray[Any]],
    squares: npt.NDArray[Any],
    powers: Floats,
    damping: float,
    alpha: float,
) -> float:
    """Return the score of one item."""
    starts, sizes, items, counts = cells
    score = 0.0
    for place in range(len(rows)):
        start = starts[rows[place]]
        for cell in range(start, start + sizes[rows[place]]):
            if items[cell] == item:
                own = _own(squares[rows[place]], damping, alpha)
                value = _value(counts[cell], own, item, squares, powers, damping, alpha)
                score += weight[place] * value
                break
    return score


@compiled
def _passes(part: float, total: float, score: float, first: bool) -> int:
    """Return 1 if a score that rose was ahead of another one before it did, else 0.

    Args:
        part: Before it rose; at most `score`.
        total: After; at least `score`.
        score: The other one.
        first: Whether equal scores come before it.
    """
    was = first and part == score
    return int(not was and (first or total > score))


@compiled
def _own(square: float, damping: float, alpha: float) -> float:
    """Return what `_value` wants of the row's own item."""
    return square if alpha == 0.5 else (square + damping) ** alpha


@compiled
def _value(
    count: float,
    own: float,
    other: int,
    squares: npt.NDArray[Any],
    powers: Floats,
    damping: float,
    alpha: float,
) -> float:
    """Return the similarity of a cell."""
    if alpha == 0.5:
        return similarity(count, own, squares[other], damping)
    scale = own * powers[other]
    return count / scale if scale > 0 else 0.0
