"""Ranks the cells of rows by one measure: the top-N lists of items.

Lists follow a total order: score down, then item id up in byte order. The score of an item in a
list falls when its own norm or its number of users rises, and rises when they fall, or it does not
depend on them. `Shard.outdated` relies on that. Source: Sarwar et al. 2001, item-based
collaborative filtering; damping as in session-rec.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from streamapp.core.arrays.array_types import NOTHING_HIDDEN, Bools, Bytes, Floats, Ints, Longs
from streamapp.core.arrays.compiled import compiled
from streamapp.core.counts.norms import Norms
from streamapp.core.counts.rows import Rows
from streamapp.core.ids.registry import Registry, precedes
from streamapp.core.lists.list_digest import list_digest

_BELOW = 1 - 1e-9
"""A margin for rounding.

If the square of a score is below this share of the square of the last listed score, the score
cannot enter the list.
"""

Measure: TypeAlias = Literal["cosine", "jaccard", "confidence"]
"""The score of j in the list of i; d is the damping.

* cosine: `dot / sqrt((sum_sq_i + d) * (sum_sq_j + d))`, the similarity of the ratings.
* jaccard: `support / (users_i + users_j - support + d)`: users with both / users with either.
* confidence: `support / (users_i + d)`: users with both / users with the list's item.

Lift and log-likelihood ratio need the number of all users, which no shard knows. So no list is made
by them, but `streamapp explain` shows them.
"""

MEASURES: tuple[Measure, ...] = get_args(Measure)
"""The index of a measure is its number in the kernels."""

_COSINE = MEASURES.index("cosine")
_JACCARD = MEASURES.index("jaccard")


@dataclass(frozen=True, slots=True)
class ListRule:
    """How lists are made; each field changes results.

    Attributes:
        top_n: Most entries of a list; > 0.
        damping: Added to both sums of squares, or to the divisor of a share of users; >= 0.
        min_support: Fewest users behind a pair; >= 1.
        measure: The score of an entry.
    """

    top_n: int
    damping: float = 0.0
    min_support: int = 1
    measure: Measure = "cosine"


@dataclass(frozen=True, slots=True)
class Ranking:
    """The top-N of some rows, one line a row, best first.

    Attributes:
        size: int32, shape (rows,). Entries of each line.
        item: int32, shape (rows, top_n). Item numbers; -1 beyond `size`.
        score: float64, shape (rows, top_n). By the rule's measure; 0 beyond `size`.
        support: int32, shape (rows, top_n). Users behind each pair; 0 beyond `size`.
        digest: int64, shape (rows,). Equal for equal lines.
    """

    size: Ints
    item: Ints
    score: Floats
    support: Ints
    digest: Longs

    @property
    def of_content(self) -> Bools:
        """Bool by line. Whether the entries are content neighbours, which no user is behind."""
        of_content: Bools = (self.size > 0) & (self.support[:, 0] == 0)
        return of_content

    def only(self, lines: Longs) -> "Ranking":
        """Return some of the lines."""
        return Ranking(self.size[lines], self.item[lines], self.score[lines],
                       self.support[lines], self.digest[lines])  # fmt: skip


def rank(
    numbers: Ints,
    rows: Rows,
    norms: Norms,
    registry: Registry,
    rule: ListRule,
    hidden: Bools = NOTHING_HIDDEN,
) -> Ranking:
    """Rank the rows `numbers`, all of which must be present. Cost: O(cells + entries moved).

    Args:
        numbers: int32. Items whose lists are made.
        rows: The rows of these items.
        norms: Of all items.
        registry: The items' ids.
        rule: How lists are made.
        hidden: Bool by number. Items that no list shows; empty where there are none.
    """
    return Ranking(
        *_rank(
            numbers,
            *rows.scored(numbers, norms),
            norms.users,
            *registry.text,
            hidden,
            rule.top_n,
            rule.damping,
            rule.min_support,
            MEASURES.index(rule.measure),
        )
    )


@compiled
def similarity(dot: float, left_sum_sq: float, right_sum_sq: float, damping: float) -> float:
    """Return the damped cosine; 0 where a sum of squares is 0.

    It is at most 1, also while the owner of a norm has applied a delta that the owner of the dot
    has not.
    """
    scale = (left_sum_sq + damping) * (right_sum_sq + damping)
    return min(dot / np.sqrt(scale), 1.0) if scale > 0 else 0.0


@compiled
def share(measure: int, support: int, left_users: int, right_users: int, damping: float) -> float:
    """Return the share of the users of either item, or of the left item, who have both.

    Args:
        measure: Number of the measure: jaccard is of either item, confidence of the left item.
        support: Users who have both.
        left_users: Users who have the left item.
        right_users: Users who have the right item.
        damping: Added to the divisor.

    Returns:
        The share, at most 1 as for `similarity`; 0 without users.
    """
    users = left_users
    if measure == _JACCARD:
        users = left_users + right_users - support
    return min(support / (users + damping), 1.0) if users + damping > 0 else 0.0


@compiled
def _rank(
    numbers: Ints,
    starts: Longs,
    sizes: Ints,
    items: Ints,
    supports: Ints,
    dots: Floats,
    sum_sq: Floats,
    users: Longs,
    text: Bytes,
    ends: Longs,
    hidden: Bools,
    top_n: int,
    damping: float,
    min_support: int,
    measure: int,
) -> tuple[Ints, Ints, Floats, Ints, Longs]:
    lines, some_hidden = len(numbers), len(hidden) > 0
    size = np.zeros(lines, np.int32)
    item, score = np.full((lines, top_n), -1, np.int32), np.zeros((lines, top_n))
    support, digest = np.zeros((lines, top_n), np.int32), np.empty(lines, np.int64)
    for line in range(lines):
        row, full, too_low = numbers[line], 0, -1.0
        own = sum_sq[row] + damping
        for cell in range(starts[row], starts[row] + sizes[row]):
            other = items[cell]
            if dots[cell] * dots[cell] < too_low * (sum_sq[other] + damping):
                continue
            if some_hidden and hidden[other]:
                continue
            if measure == _COSINE:
                value = similarity(dots[cell], sum_sq[row], sum_sq[other], damping)
            else:
                value = share(measure, supports[cell], users[row], users[other], damping)
            if supports[cell] < min_support or (full == top_n and value < score[line, full - 1]):
                continue
            rank = full
            while rank > 0 and (
                value > score[line, rank - 1]
                or (
                    value == score[line, rank - 1]
                    and precedes(text, ends, other, item[line, rank - 1])
                )
            ):
                rank -= 1
            if rank == top_n:
                continue
            full = min(full + 1, top_n)
            for after in range(full - 1, rank, -1):
                item[line, after], score[line, after] = (
                    item[line, after - 1],
                    score[line, after - 1],
                )
                support[line, after] = support[line, after - 1]
            item[line, rank], score[line, rank] = other, value
            support[line, rank] = supports[cell]
            if full == top_n and measure == _COSINE:
                too_low = score[line, full - 1] ** 2 * own * _BELOW
        size[line] = full
        digest[line] = list_digest(item[line, :full], score[line, :full], support[line, :full])
    return size, item, score, support, digest


@compiled
def holding(listed: Ints, chosen: Bools) -> Bools:
    """Say of each line of `listed`, shape (lines, top_n), whether it holds a chosen item."""
    found = np.zeros(len(listed), np.bool_)
    for line in range(len(listed)):
        for other in listed[line]:
            if other >= 0 and chosen[other]:
                found[line] = True
                break
    return found
