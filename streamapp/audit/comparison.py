"""Compares the counts in Redis with the true counts.

Sums of integer weights are exact in any order, so they must be equal to the bit. Sums of other
weights may differ in their last digits, because their order of addition may differ.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from streamapp.core.arrays.array_types import Bools, Floats, Ints, Longs
from streamapp.inspection.counts_merge import Counts

EXAMPLES = 5
"""How many differences of each comparison are printed."""

TIE = 1e-12
"""Scores that differ by no more may be in either order."""

SCORE_TOLERANCE = 1e-9
"""A score may differ from the true one by this much, besides LIST_TOLERANCE."""

_ROUNDING = 1e-9
_NOTHING = 1e-100


class Difference(NamedTuple):
    """One difference, for people."""

    where: str
    found: str
    expected: str


@dataclass(slots=True)
class Comparison:
    """The result of one comparison.

    Attributes:
        compared: Number of things in the truth.
        different: Number of differences; things that only Redis has are included.
        examples: The first differences.
    """

    compared: int = 0
    different: int = 0
    examples: list[Difference] = field(default_factory=list)


def tolerance_of(weights: Mapping[str, float], *, fading: bool = False) -> float:
    """Return the allowed relative error of a sum of products of these weights."""
    whole = all(weight.is_integer() for weight in weights.values()) and not fading
    return 0.0 if whole else _ROUNDING


def aligned(truth: Counts, stored: Counts, known: Iterable[str]) -> tuple[Counts, Counts]:
    """Return both under one numbering, of all their items and those of `known`."""
    items = sorted({*truth.items, *stored.items, *known})
    return _over(truth, items), _over(stored, items)


def compare_norms(
    truth: Counts, stored: Counts, disputed: list[str], tolerance: float
) -> Comparison:
    """Compare every item's sum of squares and number of users.

    Args:
        truth: The counts as they should be.
        stored: The counts as Redis has them, under the same numbering.
        disputed: Items on which the shards do not agree; each counts as different.
        tolerance: The allowed relative error of a sum.
    """
    apart = set(disputed)
    wrong = _differs(stored.sum_sq, truth.sum_sq, tolerance) | (stored.users != truth.users)
    if truth.exponent is not None and stored.exponent is not None:
        wrong |= truth.exponent != stored.exponent
    wrong |= np.array([item in apart for item in truth.items], np.bool_)
    result = Comparison(int((truth.users > 0).sum()), int(wrong.sum()))
    for place in np.flatnonzero(wrong)[:EXAMPLES].tolist():
        item = truth.items[place]
        note = " (not in all shards)" if item in apart else ""
        found, expected = (
            f"{counts.sum_sq[place]:.17g} of {counts.users[place]} users"
            for counts in (stored, truth)
        )
        result.examples.append(Difference(f"sum of squares of {item}", found + note, expected))
    return result


def compare_dots(truth: Counts, stored: Counts, tolerance: float) -> Comparison:
    """Compare the dot and the support of every pair, in both of its rows.

    Args:
        truth: The counts as they should be.
        stored: The counts as Redis has them, under the same numbering.
        tolerance: The allowed relative error of a dot.

    Cost: O(n log n) for n cells.
    """
    size = len(truth.items)
    keys = [counts.rows.astype(np.int64) * size + counts.indices for counts in (truth, stored)]
    merged = np.sort(np.concatenate(keys), kind="stable")
    every = merged[np.diff(merged, prepend=-1) != 0]
    (dot, support), (found_dot, found_support) = (
        _looked_up(counts, key, every) for counts, key in zip((truth, stored), keys, strict=True)
    )
    repeated = np.zeros(len(every), np.bool_)
    repeated[np.searchsorted(every, keys[1][1:][np.diff(keys[1]) == 0])] = True
    wrong = _differs(found_dot, dot, tolerance) | (found_support != support) | repeated
    result = Comparison(len(keys[0]), int(wrong.sum()))
    for place in np.flatnonzero(wrong)[:EXAMPLES].tolist():
        row, other = divmod(int(every[place]), size)
        result.examples.append(
            Difference(
                f"dot of {truth.items[row]} with {truth.items[other]}",
                _cell(found_dot[place], found_support[place]) + " twice" * int(repeated[place]),
                _cell(dot[place], support[place]),
            )
        )
    return result


def compare_numbers(what: str, found: int, expected: int) -> Comparison:
    """Compare two numbers of `what`; the result counts their difference."""
    different = abs(found - expected)
    examples = [Difference(f"number of {what}", str(found), str(expected))] if different else []
    return Comparison(expected, different, examples)


def _over(counts: Counts, items: list[str]) -> Counts:
    """Return the same counts numbered by `items`, a superset of their items in the same order."""
    number = {item: place for place, item in enumerate(items)}
    places = np.array([number[item] for item in counts.items], np.int32)
    sum_sq, users = np.zeros(len(items)), np.zeros(len(items), np.int64)
    sizes, exponent = np.zeros(len(items) + 1, np.int64), None
    if counts.exponent is not None:
        exponent = np.zeros(len(items), np.int64)
        exponent[places] = counts.exponent
    sum_sq[places], users[places] = counts.sum_sq, counts.users
    sizes[places + 1] = np.diff(counts.indptr)
    return replace(
        counts,
        items=items,
        sum_sq=sum_sq,
        users=users,
        indptr=np.cumsum(sizes),
        indices=places[counts.indices],
        exponent=exponent,
    )


def _looked_up(counts: Counts, keys: Longs, every: Longs) -> tuple[Floats, Ints]:
    """Return dot and support of the cells `every`; 0 for a cell that `counts` lacks."""
    dot, support = np.zeros(len(every)), np.zeros(len(every), np.int32)
    places = np.searchsorted(every, keys)
    dot[places], support[places] = counts.dot, counts.support
    return dot, support


def _cell(dot: float, support: int) -> str:
    return f"{dot:.17g} of {support} users" if support else "no users"


def _differs(found: Floats, expected: Floats, tolerance: float) -> Bools:
    """Return where arrays differ by more than `tolerance` times the expected value, or by NaN.

    With a tolerance, values far below the norms, as those of old items, count as 0.
    """
    allowed = tolerance * np.abs(expected) + (_NOTHING if tolerance else 0.0)
    return ~(np.abs(found - expected) <= allowed)
