"""Metrics of lists: the share of answers they hold, their ranks, and which items they show.

All follow SAR's evaluation (recommenders, `python_evaluation.py`) if it has them, with binary
relevance and lists of at most N items; a list shorter than N misses the rest.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streamapp.core.arrays.array_types import Bools, Floats, Ints, Longs
from streamapp.core.histories.profiles import Profiles


class Questions(NamedTuple):
    """Questions for lists.

    Attributes:
        profiles: Profiles of the users; one line for each question.
        answers: Numbers of the items that the list should hold, of those that have one.
        relevant: How many items it should hold, unknown ones included; > 0.
    """

    profiles: Profiles
    answers: Sequence[set[int]]
    relevant: Sequence[int]


def measure(lists: Ints, questions: Questions, users: Longs) -> dict[str, float]:
    """Return every metric by name.

    Args:
        lists: int32, shape (questions, N). Item numbers, best first; -1 beyond the end.
        questions: At least one.
        users: int64 by item number. Users whose history holds the item; 0 for an unknown one.
    """
    hits = np.array(
        [[item in truth for item in line]
         for line, truth in zip(lists.tolist(), questions.answers, strict=True)]
    )  # fmt: skip
    relevant = np.array(questions.relevant, np.int64)
    return {
        "hr": float(hits.any(axis=1).mean()),
        "mrr": float(reciprocal_rank(hits).mean()),
        "ndcg": float(gain(hits, relevant).mean()),
        "precision": float(hits.mean()),
        "recall": float((hits.sum(axis=1) / relevant).mean()),
        "map": float(average_precision(hits, relevant).mean()),
        "coverage": coverage(lists, users),
        "popularity_bias": popularity_bias(lists, users),
    }


def reciprocal_rank(hits: Bools) -> Floats:
    """Return 1 / rank of the first hit of each line of `hits`, shape (questions, N); 0 without."""
    first = hits.argmax(axis=1) + 1.0
    return np.where(hits.any(axis=1), 1.0 / first, 0.0)


def gain(hits: Bools, relevant: Longs) -> Floats:
    """Return the normalised discounted gain of each line: 1 if the best ranks are all hits."""
    discounts = 1.0 / np.log(np.arange(2, hits.shape[1] + 2))
    best = np.cumsum(discounts)[np.minimum(relevant, hits.shape[1]) - 1]
    found: Floats = (hits * discounts).sum(axis=1) / best
    return found


def average_precision(hits: Bools, relevant: Longs) -> Floats:
    """Return the sum over hits of (number of the hit / rank), over all relevant items.

    SAR's `map` divides by all relevant items, even if they are more than N.
    """
    ranks = np.arange(1, hits.shape[1] + 1)
    found: Floats = (hits * np.cumsum(hits, axis=1) / ranks).sum(axis=1) / relevant
    return found


def coverage(lists: Ints, users: Longs) -> float:
    """Return the share of the known items that some list holds."""
    known = int(np.count_nonzero(users))
    return len(np.unique(lists[lists >= 0])) / max(known, 1)


def popularity_bias(lists: Ints, users: Longs) -> float:
    """Return the popularity of listed items: users of an item / users of the most popular one.

    It is the mean over the entries of a list, then over the lists that have any. Source:
    session-rec, `Popularity`.
    """
    listed = lists >= 0
    full = listed.any(axis=1)
    if not full.any():
        return 0.0
    most = int(users.max())
    share = np.where(listed, users[lists] / most, 0.0)[full]
    return float((share.sum(axis=1) / listed[full].sum(axis=1)).mean())
