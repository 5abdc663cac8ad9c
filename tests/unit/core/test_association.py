"""Support, confidence and lift are those of market-basket analysis, as mlxtend computes them."""

from importlib import import_module
from itertools import permutations
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given, settings

from streamapp.core.evaluation.association import Association

ITEMS = list("abcd")


# Other libraries are imported where they are used: every process of a run collects this file.
def baskets_of(rows: list[list[bool]]) -> Any:
    """Return who has what, a row a user, as a data frame."""
    return import_module("pandas").DataFrame(rows, columns=ITEMS, dtype=bool)


def association(baskets: Any, left: str, right: str) -> Association:
    """Count users."""
    having = int(baskets[left].sum()), int(baskets[right].sum())
    return Association(len(baskets), having, int((baskets[left] & baskets[right]).sum()))


rows = st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=25)


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning:mlxtend")
@settings(max_examples=60)
@given(rows)
def test_rules_equal_those_of_mlxtend(rows: list[list[bool]]) -> None:
    """On the same baskets: every rule of one item each, in both directions.

    Another figure of mlxtend, which is not ours, divides by zero where everybody has an item.
    """
    baskets = baskets_of(rows)
    mlxtend = import_module("mlxtend.frequent_patterns")
    found = mlxtend.apriori(baskets, min_support=1e-9, use_colnames=True, max_len=2)
    assume(len(found))
    rules = mlxtend.association_rules(found, metric="support", min_threshold=0)
    expected = {
        (*rule.antecedents, *rule.consequents): (rule.support, rule.confidence, rule.lift)
        for rule in rules.itertuples()
    }
    for pair in permutations(ITEMS, 2):
        if pair not in expected:
            assert not (baskets[pair[0]] & baskets[pair[1]]).any()
            continue
        one = association(baskets, *pair)
        assert (one.support, one.confidence[0], one.lift) == pytest.approx(expected[pair])
        assert one.confidence[1] == pytest.approx(expected[pair[::-1]][1])


@settings(max_examples=60)
@given(rows)
def test_jaccard_and_log_likelihood_follow_their_definitions(rows: list[list[bool]]) -> None:
    """One from sets; the other is the G statistic of scipy's contingency table."""
    baskets = baskets_of(rows)
    assume(baskets["a"].any() and baskets["b"].any())
    one = association(baskets, "a", "b")
    have_a, have_b = (set(np.flatnonzero(baskets[item])) for item in "ab")
    assert one.jaccard == pytest.approx(len(have_a & have_b) / len(have_a | have_b))
    table = import_module("pandas").crosstab(baskets["a"], baskets["b"]).to_numpy()
    g = (
        import_module("scipy.stats")
        .chi2_contingency(table, correction=False, lambda_="log-likelihood")
        .statistic
    )
    assert one.log_likelihood_ratio == pytest.approx(g, abs=1e-9)


def test_items_that_have_nothing_to_do_with_each_other_have_lift_one() -> None:
    """Half have the one, half the other, a quarter both."""
    one = Association(users=100, having=(50, 50), both=25)
    assert (one.support, one.confidence, one.lift) == (0.25, (0.5, 0.5), 1.0)
    assert one.log_likelihood_ratio == pytest.approx(0, abs=1e-12)
