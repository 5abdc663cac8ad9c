"""Ranking: one total order, for any order of the cells."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.core.counts.norms import NORM, Norms
from streamapp.core.counts.rows import CELL, Rows
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.ranking import MEASURES, ListRule, Measure, rank


def ranked(
    cells: list[tuple[str, float, int]],
    sum_sq: dict[str, float],
    rule: ListRule,
    users: dict[str, int] | None = None,
) -> list[tuple[str, float]]:
    """Rank one row of (item, dot, support) cells; the row's own sum of squares is 1.

    Each item, and the row, has one user if `users` does not give another number.
    """
    registry, users = Registry(["row", *sum_sq]), users or {}
    values = {"row": 1.0, **sum_sq}
    stored = [(0, value, users.get(name, 1), False) for name, value in values.items()]
    norms = Norms(np.array(stored, NORM).tobytes())
    rows = Rows()
    rows.reserve(len(registry))
    packed = np.array(
        [(registry.find(item), support, dot) for item, dot, support in cells], CELL
    ).tobytes()
    row = np.zeros(1, np.int32)
    rows.load(row, np.zeros(1, np.int64), np.zeros(1), [packed])
    ranking = rank(row, rows, norms, registry, rule)
    return [
        (registry.ids[ranking.item[0, place]], float(ranking.score[0, place]))
        for place in range(ranking.size[0])
    ]


def test_equal_similarities_go_by_item_id_in_byte_order() -> None:
    """Upper case before lower case, ASCII before the rest, a prefix before the longer id."""
    names = ["b", "a", "é", "Z", "ab", "z"]
    got = ranked([(name, 0.5, 1) for name in names], dict.fromkeys(names, 1.0), ListRule(6))
    assert [name for name, _ in got] == ["Z", "a", "ab", "b", "z", "é"]


@pytest.mark.parametrize("measure", MEASURES)
@given(st.permutations(range(12)), st.integers(1, 12), st.data())
def test_a_shorter_list_is_the_beginning_of_a_longer_one(
    measure: Measure, order: list[int], top_n: int, data: st.DataObject
) -> None:
    """The cut does not depend on the order of the cells, nor on dots if only users count."""
    dots = data.draw(st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=12, max_size=12))
    supports = data.draw(st.lists(st.integers(1, 3), min_size=12, max_size=12))
    cells = [(f"i{number:02}", dots[number], supports[number]) for number in order]
    sums = {name: 9.0 for name, _, _ in cells}
    users = {"row": 3} | dict.fromkeys(sums, 3)
    whole = ranked(cells, sums, ListRule(12, measure=measure), users)
    assert ranked(cells, sums, ListRule(top_n, measure=measure), users) == whole[:top_n]
    assert whole == sorted(whole, key=lambda entry: (-entry[1], entry[0]))


def test_pairs_under_the_minimum_support_are_left_out() -> None:
    """A pair of one user is not shown if two are asked for."""
    got = ranked([("a", 9.0, 1), ("b", 1.0, 2)], {"a": 9.0, "b": 9.0}, ListRule(5, min_support=2))
    assert [name for name, _ in got] == ["b"]


def test_an_item_without_norm_has_similarity_zero() -> None:
    """Nothing is divided by zero."""
    assert ranked([("a", 1.0, 1)], {"a": 0.0}, ListRule(5)) == [("a", 0.0)]


@pytest.mark.parametrize("measure", ["jaccard", "confidence"])
def test_an_item_without_users_has_score_zero(measure: Measure) -> None:
    """Nothing is divided by zero."""
    nobody = {"row": 0, "a": 1}
    assert ranked([("a", 1.0, 1)], {"a": 1.0}, ListRule(5, measure=measure), nobody) == [("a", 0.0)]


@pytest.mark.parametrize(
    ("measure", "damping", "want"),
    [
        ("cosine", 0.0, [("c", 4.5 / 5), ("b", 3.4 / 4), ("a", 4.0 / 6)]),
        ("jaccard", 0.0, [("b", 3 / (8 + 3 - 3)), ("a", 4 / (8 + 20 - 4)), ("c", 1 / 8)]),
        ("jaccard", 10.0, [("b", 3 / 18), ("a", 4 / 34), ("c", 1 / 18)]),
        ("confidence", 0.0, [("a", 4 / 8), ("b", 3 / 8), ("c", 1 / 8)]),
        ("confidence", 2.0, [("a", 4 / 10), ("b", 3 / 10), ("c", 1 / 10)]),
    ],
)
def test_each_measure_ranks_by_its_formula(
    measure: Measure, damping: float, want: list[tuple[str, float]]
) -> None:
    """Popular a leads by confidence, exclusive b by Jaccard, highly rated c by the cosine."""
    cells = [("a", 4.0, 4), ("b", 3.4, 3), ("c", 4.5, 1)]
    sums = {"a": 36.0, "b": 16.0, "c": 25.0}
    users = {"row": 8, "a": 20, "b": 3, "c": 1}
    assert ranked(cells, sums, ListRule(3, damping, measure=measure), users) == want
    short = ranked(cells, sums, ListRule(1, damping, measure=measure), users)
    assert short == want[:1]
