"""Similarities: ways to make the lists of items from counts, more than the app has.

The similarity of items i and j is the damped cosine, skewed towards the norm of either item. Lists
follow a total order: similarity down, then item id up in byte order.
Source: damping as in session-rec; the skew as in Aiolli 2013, asymmetric cosine.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streamapp.core.arrays.array_types import Bytes, Floats, Ints, Longs
from streamapp.core.arrays.compiled import compiled
from streamapp.core.counts.norms import Norms
from streamapp.core.counts.rows import Rows
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.blending import NeighbourLists, insert
from streamapp.core.lists.ranking import similarity

_WHOLE = np.iinfo(np.int32).max


@dataclass(frozen=True, slots=True)
class Similarity:
    """The rule of item lists; each field changes results.

    Attributes:
        damping: Added to both norms' squares; >= 0.
        alpha: Share of the norm of the list's own item, 0 to 1; 0.5 is the cosine.
        binary: Whether users are counted (supports), not the products of their ratings (dots).
        neighbours: Most entries of a list, > 0; best first, in the total order. None: all cells of
            the row, in their stored order.
    """

    damping: float = 0.0
    alpha: float = 0.5
    binary: bool = False
    neighbours: int | None = None


def neighbours_of(
    items: Ints, rows: Rows, norms: Norms, registry: Registry, rule: Similarity
) -> NeighbourLists:
    """Return the lists of some items.

    Args:
        items: int32. Item numbers, in any order; one without a row, or -1, gets no list.
        rows: At least the rows of these items.
        norms: At least those of these items and of all items in their rows.
        registry: Gives the numbers of items.
        rule: The rule of the lists.

    Cost: O(items known + cells of the rows + entries moved).
    """
    starts, sizes, others, supports, dots = rows.cells
    numbers = np.unique(items)
    numbers = numbers[(numbers >= 0) & (numbers < min(len(sizes), len(registry)))]
    row = np.full(len(registry), -1, np.int32)
    row[numbers] = np.arange(len(numbers))
    return NeighbourLists(
        row,
        *_lists(
            numbers,
            starts,
            sizes,
            others,
            supports if rule.binary else dots,
            norms.users if rule.binary else norms.sum_sq,
            *registry.text,
            rule.neighbours or _WHOLE,
            rule.damping,
            rule.alpha,
        ),
    )


@compiled
def _lists(
    numbers: Ints,
    row_starts: Longs,
    row_sizes: Ints,
    row_items: Ints,
    row_counts: npt.NDArray[Any],
    squares: npt.NDArray[Any],
    text: Bytes,
    ends: Longs,
    longest: int,
    damping: float,
    alpha: float,
) -> tuple[Longs, Longs, Ints, Floats]:
    room = 0
    for row in numbers:
        room += min(row_sizes[row], longest)
    starts = np.zeros(len(numbers) + 1, np.int64)
    item, score = np.empty(room, np.int32), np.empty(room)
    for line in range(len(numbers)):
        row, first, size = numbers[line], starts[line], 0
        last = first + min(row_sizes[row], longest)
        own = squares[row] + damping
        for cell in range(row_starts[row], row_starts[row] + row_sizes[row]):
            other = row_items[cell]
            if alpha == 0.5:
                value = similarity(row_counts[cell], squares[row], squares[other], damping)
            else:
                scale = own**alpha * (squares[other] + damping) ** (1.0 - alpha)
                value = row_counts[cell] / scale if scale > 0 else 0.0
            if longest == _WHOLE:
                item[first + size], score[first + size] = other, value
                size += 1
            else:
                listed, scores = item[first:last], score[first:last]
                size = insert(listed, scores, size, other, value, text, ends)
        starts[line + 1] = first + size
    return starts[:-1], starts[1:], item[: starts[-1]], score[: starts[-1]]
