"""Ranking: one total order, whatever the order of the cells."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamapp.core.norms import NORM, Norms
from streamapp.core.ranking import Rule, rank
from streamapp.core.registry import Registry
from streamapp.core.rows import CELL, Rows


def ranked(
    cells: list[tuple[str, float, int]], sum_sq: dict[str, float], rule: Rule
) -> list[tuple[str, float]]:
    """Rank one row of (item, dot, support) cells; the row's own sum of squares is 1."""
    registry = Registry(["row", *sum_sq])
    norms = Norms.unpack(
        np.array([(0, 1.0, 1), *((0, value, 1) for value in sum_sq.values())], NORM).tobytes()
    )
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
    got = ranked([(name, 0.5, 1) for name in names], dict.fromkeys(names, 1.0), Rule(6))
    assert [name for name, _ in got] == ["Z", "a", "ab", "b", "z", "é"]


@given(st.permutations(range(12)), st.integers(1, 12), st.data())
def test_a_shorter_list_is_the_beginning_of_a_longer_one(
    order: list[int], top_n: int, data: st.DataObject
) -> None:
    """The cut does not depend on the order of the cells."""
    dots = data.draw(st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=12, max_size=12))
    cells = [(f"i{number:02}", dots[number], 1) for number in order]
    sums = {name: 9.0 for name, _, _ in cells}
    whole = ranked(cells, sums, Rule(12))
    assert ranked(cells, sums, Rule(top_n)) == whole[:top_n]
    assert whole == sorted(whole, key=lambda entry: (-entry[1], entry[0]))


def test_pairs_under_the_minimum_support_are_left_out() -> None:
    """A coincidence of one user is not shown if two are asked for."""
    got = ranked([("a", 9.0, 1), ("b", 1.0, 2)], {"a": 9.0, "b": 9.0}, Rule(5, min_support=2))
    assert [name for name, _ in got] == ["b"]


def test_an_item_without_norm_has_similarity_zero() -> None:
    """Nothing is divided by zero."""
    assert ranked([("a", 1.0, 1)], {"a": 0.0}, Rule(5)) == [("a", 0.0)]
