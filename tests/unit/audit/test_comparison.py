"""Comparing counts: equal ones have no differences, and planted ones are found and named."""

from dataclasses import replace

import numpy as np
import pytest

from streamapp.audit.comparison import (
    aligned,
    compare_dots,
    compare_norms,
    compare_numbers,
    tolerance_of,
)
from streamapp.inspection.counts_merge import Counts

TRUTH = Counts(
    items=["a", "b", "c"],
    sum_sq=np.array([26.0, 10.0, 9.0]),
    users=np.array([2, 2, 1]),
    indptr=np.array([0, 2, 3, 4]),
    indices=np.array([1, 2, 0, 0], np.int32),
    dot=np.array([14.0, 3.0, 14.0, 3.0]),
    support=np.array([2, 1, 2, 1], np.int32),
)


def changed(array: np.ndarray, place: int, value: float) -> np.ndarray:
    """Return `array` with another value at one index."""
    other = array.copy()
    other[place] = value
    return other


def test_equal_counts_have_no_differences() -> None:
    """All of them are compared."""
    truth, stored = aligned(TRUTH, TRUTH, ["b", "z"])

    norms, dots = compare_norms(truth, stored, [], 0), compare_dots(truth, stored, 0)
    assert (norms.compared, norms.different, dots.compared, dots.different) == (3, 0, 4, 0)
    assert truth.items == ["a", "b", "c", "z"]


@pytest.mark.parametrize(
    ("stored", "found", "expected"),
    [
        (replace(TRUTH, dot=changed(TRUTH.dot, 1, 4)), "4 of 1 users", "3 of 1 users"),
        (replace(TRUTH, dot=changed(TRUTH.dot, 1, np.nan)), "nan of 1 users", "3 of 1 users"),
        (replace(TRUTH, dot=changed(TRUTH.dot, 1, 3 + 1e-15)), "3.00", "3 of 1 users"),
        (replace(TRUTH, support=changed(TRUTH.support, 1, 2)), "3 of 2 users", "3 of 1 users"),
    ],
)
def test_a_wrong_cell_is_named(stored: Counts, found: str, expected: str) -> None:
    """The dot of a with c, and nothing else; integers are compared to the bit."""
    result = compare_dots(TRUTH, stored, 0)

    assert result.different == 1
    (difference,) = result.examples
    assert difference.where == "dot of a with c"
    assert difference.found.startswith(found)
    assert difference.expected == expected


def test_cells_that_are_missing_or_too_many_are_named() -> None:
    """Redis has lost the cell (c, a) and has one of (b, c) and of an unknown item."""
    stored = replace(
        TRUTH,
        items=["a", "b", "c", "x"],
        sum_sq=np.append(TRUTH.sum_sq, 0),
        users=np.append(TRUTH.users, 0),
        indptr=np.array([0, 2, 4, 4, 5]),
        indices=np.array([1, 2, 0, 2, 0], np.int32),
        dot=np.array([14.0, 3.0, 14.0, 1.0, 1.0]),
        support=np.array([2, 1, 2, 1, 1], np.int32),
    )

    result = compare_dots(*aligned(TRUTH, stored, []), 0)
    assert [(one.where, one.found, one.expected) for one in result.examples] == [
        ("dot of b with c", "1 of 1 users", "no users"),
        ("dot of c with a", "no users", "3 of 1 users"),
        ("dot of x with a", "1 of 1 users", "no users"),
    ]


def test_a_cell_that_is_there_twice_is_named() -> None:
    """Even if both have the right dot."""
    stored = replace(
        TRUTH,
        indptr=np.array([0, 3, 4, 5]),
        indices=np.array([1, 1, 2, 0, 0], np.int32),
        dot=np.array([14.0, 14.0, 3.0, 14.0, 3.0]),
        support=np.array([2, 2, 1, 2, 1], np.int32),
    )

    (difference,) = compare_dots(TRUTH, stored, 0).examples
    assert difference.found == "14 of 2 users twice"


def test_norms_differ_by_sum_by_users_and_between_shards() -> None:
    """Each of the three items is wrong in its own way."""
    stored = replace(TRUTH, sum_sq=changed(TRUTH.sum_sq, 0, 25), users=changed(TRUTH.users, 1, 3))

    result = compare_norms(TRUTH, stored, ["c"], 0)
    assert [(one.where, one.found) for one in result.examples] == [
        ("sum of squares of a", "25 of 2 users"),
        ("sum of squares of b", "10 of 3 users"),
        ("sum of squares of c", "9 of 1 users (not in all shards)"),
    ]


def test_other_weights_than_integers_may_round() -> None:
    """A part in a thousand million, and 0 if all weights are integers."""
    assert tolerance_of({"click": 1.0, "purchase": 5.0}) == 0
    tolerance = tolerance_of({"click": 0.1})
    for off, different in ((1 + 1e-12, 0), (1 + 1e-6, 1)):
        stored = replace(TRUTH, dot=changed(TRUTH.dot, 1, 3 * off))
        assert compare_dots(TRUTH, stored, tolerance).different == different


def test_numbers_differ_by_how_much_one_has_more() -> None:
    """Two histories too few are two differences."""
    assert compare_numbers("histories", 5, 5).different == 0
    assert compare_numbers("histories", 3, 5).different == 2
