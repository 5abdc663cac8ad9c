"""Load test. Places: where one item stands in a list, without the list.

What an item adds to a score is never negative, so scores only rise as the history is gone through.
An item that comes before the answer by a part of its score does so by all of it, and an answer
that as many items come before as a list is long is not in it. Most answers are not, and most of
those show it after the newest items. Every score has the bits that a list would have.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from loadtest.evaluation.engine import Counts
from loadtest.evaluation.variant import Variant
from streamapp.core.arrays import Bytes, Floats, Ints, Longs, compiled
from streamapp.core.blending import Tastes
from streamapp.core.ranking import similarity
from streamapp.core.registry import precedes


class Places:
    """Where items stand in the lists that one variant makes of some counts, as they are now."""

    def __init__(self, counts: Counts, variant: Variant) -> None:
        self._counts, self._variant = counts, variant
        self._squares: Floats = np.zeros(0)
        self._powers: Floats = np.zeros(0)

    def place(self, tastes: Tastes, item: int) -> int:
        """Return the place of an item in the list of one user, from 1; 0 if it is not there.

        Args:
            tastes: What the user has, one line.
            item: Number of the item; -1 for one that nobody knows.

        Cost: O(items known + cells of the rows used), the latter mostly for the newest items only.
        """
        similar, rule = self._variant.similarity, self._variant.blend
        if item < 0 or not len(tastes.item):
            return 0
        if similar.neighbours is not None:
            line = self._counts.lists(tastes, self._variant)[0].tolist()
            return line.index(item) + 1 if item in line else 0
        rows, norms, registry = self._counts
        starts, sizes, others, supports, dots = rows.cells
        squares = norms.users if similar.binary else norms.sum_sq
        return _place(
            item,
            tastes.item,
            tastes.rating,
            rule.weights(len(tastes.item)),
            starts,
            sizes,
            others,
            supports if similar.binary else dots,
            squares,
            self._renewed(squares),
            *registry.text,
            rule.top_n,
            rule.rated,
            rule.exclude_from,
            similar.damping,
            similar.alpha,
        )

    def _renewed(self, squares: npt.NDArray[Any]) -> Floats:
        """Return the powers of the norms' squares; only those of moved norms are computed."""
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
    rated: bool,
    exclude_from: float,
    damping: float,
    alpha: float,
) -> int:
    for position in range(len(held)):
        if held[position] == item and rating[position] >= exclude_from:
            return 0
    score = 0.0
    for position in range(len(weights)):
        row = held[position]
        if not 0 <= row < len(row_sizes):
            continue
        weight = weights[position] * (rating[position] if rated else 1.0)
        own = squares[row] if alpha == 0.5 else (squares[row] + damping) ** alpha
        for cell in range(row_starts[row], row_starts[row] + row_sizes[row]):
            if row_items[cell] == item:
                power = 0.0 if alpha == 0.5 else powers[item]
                score += weight * _value(row_counts[cell], own, squares[item], power, damping, alpha)
                break
    if score <= 0:
        return 0
    total = np.zeros(len(squares))
    total[item] = -np.inf
    for position in range(len(held)):
        if 0 <= held[position] < len(total) and rating[position] >= exclude_from:
            total[held[position]] = -np.inf
    before = 0
    for position in range(len(weights)):
        row = held[position]
        if not 0 <= row < len(row_sizes):
            continue
        weight = weights[position] * (rating[position] if rated else 1.0)
        own = squares[row] if alpha == 0.5 else (squares[row] + damping) ** alpha
        for cell in range(row_starts[row], row_starts[row] + row_sizes[row]):
            other = row_items[cell]
            power = 0.0 if alpha == 0.5 else powers[other]
            part = total[other]
            total[other] = part + weight * _value(
                row_counts[cell], own, squares[other], power, damping, alpha
            )
            if total[other] >= score and part <= score:
                first = precedes(text, ends, other, item)
                was = first and part == score
                if not was and (first or total[other] > score):
                    before += 1
                    if before == top_n:
                        return 0
    return before + 1


@compiled
def _value(
    count: float, own: float, square: float, power: float, damping: float, alpha: float
) -> float:
    """Return the similarity; `own` is the norm's square of the row, or its power."""
    if alpha == 0.5:
        return similarity(count, own, square, damping)
    scale = own * power
    return count / scale if scale > 0 else 0.0
