"""Compares the lists that frontends read with the top-N of the true counts.

The score of an entry is the literal formula of the rule's `Measure`. Another order of the same
operations rounds differently. So entries whose true scores tie within `TIE` may be in either order.
Entries with equal scores in the list must be in the order of their ids.

With a tolerance, scores may be older than members and their order, and `support` too. A list is
replaced as a whole, so its own scores still fall from entry to entry.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from streamapp.audit.comparison import EXAMPLES, SCORE_TOLERANCE, TIE, Comparison, Difference
from streamapp.audit.entries import Entries, parse_lists
from streamapp.core.arrays.array_types import Bools, Floats, Ints, Longs
from streamapp.core.list_kinds import ITEM
from streamapp.core.lists.ranking import ListRule
from streamapp.inspection.counts_merge import Counts

_REASONS = (
    "is no item",
    "is the item itself",
    "is hidden",
    "shares too few users with it",
    "is there twice",
    "scores over 1",
    "has another score",
    "has another support",
    "does not belong in this place",
    "is behind one that it should precede",
)


@dataclass(frozen=True, slots=True)
class _Expected:
    """The lists that the true counts make.

    Attributes:
        size: int64, shape (items,). Entries of each list.
        best: float64, shape (items, top_n). Scores of each list, descending; 0 beyond its end.
        key: int64, shape (cells + 1,). Row and column of every cell in one number, ascending; the
            last one is larger than any cell's.
        score: float64, shape (cells + 1,). Score of every cell; NaN for one that no list shows.
        support: int32, shape (cells + 1,). Users behind every cell.
    """

    size: Longs
    best: Floats
    key: Longs
    score: Floats
    support: Ints


def compare_lists(
    truth: Counts,
    lists: Sequence[bytes | None],
    rule: ListRule,
    kind: str = ITEM,
    hidden: Collection[str] = (),
    tie: float = TIE,
    tolerance: float = 0.0,
) -> Comparison:
    """Compare every list with the true one.

    Args:
        truth: The counts.
        lists: The value of the key of each item of `truth`, in the same order.
        rule: How a list is made.
        kind: The kind of the lists.
        hidden: Items that no list shows.
        tie: Scores that differ by no more may be in either order; a score may be over 1 by it.
        tolerance: The share of a listed score by which the true one may differ from it. If it is
            0, `support` must be exact too.

    Cost: O(cells), and a Python step for every list and entry.
    """
    out = np.array([item in hidden for item in truth.items], np.bool_)
    expected, entries = _expect(truth, rule, out), parse_lists(truth.items, lists, kind)
    problems = {
        row: Difference(f"list of {truth.items[row]}", why, _entries(expected.size[row]))
        for row, why in entries.broken.items()
    }
    size = np.bincount(entries.row, minlength=len(truth.items))
    for row in np.flatnonzero(size != expected.size).tolist():
        problems.setdefault(
            row,
            Difference(
                f"list of {truth.items[row]}", _entries(size[row]), _entries(expected.size[row])
            ),
        )
    fault = _faults(truth, entries, expected, rule, out, tie, tolerance)
    for entry in np.flatnonzero(fault).tolist():
        row, place = int(entries.row[entry]), int(entries.place[entry])
        found = (
            f"{entries.names[entry]} {entries.score[entry]:.17g} of {entries.support[entry]} users"
        )
        problems.setdefault(
            row,
            Difference(
                f"list of {truth.items[row]}, entry {place + 1}",
                f"{found}, which {_REASONS[fault[entry] - 1]}",
                f"score {expected.best[row, min(place, rule.top_n - 1)]:.17g}",
            ),
        )
    examples = [problems[row] for row in sorted(problems)[:EXAMPLES]]
    return Comparison(int((expected.size > 0).sum()), len(problems), examples)


def listed(truth: Counts, rule: ListRule, hidden: Collection[str] = ()) -> set[str]:
    """Return the items that have a list according to the true counts."""
    out = np.array([item in hidden for item in truth.items], np.bool_)
    rows = truth.rows[(truth.support >= rule.min_support) & ~out[truth.indices]]
    return {truth.items[row] for row in np.unique(rows).tolist()}


def _entries(size: int) -> str:
    return f"{size} entries" if size else "no list"


def _expect(truth: Counts, rule: ListRule, hidden: Bools) -> _Expected:
    items, row, score = len(truth.items), truth.rows, _scores(truth, rule)
    score[(truth.support < rule.min_support) | hidden[truth.indices]] = np.nan
    size, best = np.zeros(items, np.int64), np.zeros((items, rule.top_n))
    ends = truth.indptr.tolist()
    for number in range(items):
        some = score[ends[number] : ends[number + 1]]
        some = some[~np.isnan(some)]
        if len(some) > rule.top_n:
            some = np.partition(some, len(some) - rule.top_n)[-rule.top_n :]
        size[number] = len(some)
        best[number, : len(some)] = np.sort(some)[::-1]
    key = row.astype(np.int64) * items + truth.indices
    return _Expected(
        size,
        best,
        np.append(key, np.iinfo(np.int64).max),
        np.append(score, np.nan),
        np.append(truth.support, np.int32(0)),
    )


def _scores(truth: Counts, rule: ListRule) -> Floats:
    """Return the score of every cell, float64, shape (cells,)."""
    row, other = truth.rows, truth.indices
    if rule.measure == "cosine":
        sum_sq = truth.sum_sq + rule.damping
        return np.asarray(truth.dot / np.sqrt(sum_sq[row] * sum_sq[other]))
    divisor = truth.users[row] + rule.damping
    if rule.measure == "jaccard":
        divisor += truth.users[other] - truth.support
    return np.asarray(truth.support / divisor)


def _faults(
    truth: Counts,
    entries: Entries,
    expected: _Expected,
    rule: ListRule,
    hidden: Bools,
    tie: float,
    tolerance: float,
) -> Longs:
    """Return for each entry the number, from 1, of its first fault in `_REASONS`; 0 if right."""
    row, place, other = entries.row, entries.place, entries.other
    key = row.astype(np.int64) * len(truth.items) + other
    cell = np.searchsorted(expected.key, key)
    score = np.where(expected.key[cell] == key, expected.score[cell], np.nan)
    wanted = expected.best[row, np.minimum(place, rule.top_n - 1)]
    _, first = np.unique(key, return_index=True)
    again = np.ones(len(key), np.bool_)
    again[first] = False
    follows = (row[1:] == row[:-1]) & (
        (entries.score[1:] > entries.score[:-1])
        | ((entries.score[1:] == entries.score[:-1]) & (other[1:] < other[:-1]))
    )
    support, allowed = expected.support[cell], SCORE_TOLERANCE + tolerance * np.abs(entries.score)
    other_support = entries.support < rule.min_support if tolerance else entries.support != support
    holds = [
        other < 0,
        other == row,
        hidden[other],
        np.isnan(score),
        again,
        ~(entries.score <= 1 + tie),
        ~(np.abs(entries.score - score) <= allowed),
        other_support,
        ~(np.abs(score - wanted) <= tie),
        np.append(np.zeros(min(1, len(row)), np.bool_), follows),
    ]
    return np.select(holds, range(1, len(holds) + 1), 0)
