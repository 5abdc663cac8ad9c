"""Content neighbours by text are those of the definition, and of scikit-learn."""

import math
from collections import Counter
from importlib import import_module

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from streamapp.core.content.tfidf import Texts, words_of
from streamapp.core.events.catalogue_record import Product
from tests.support import oracle
from tests.support.strategies import examples

WORDS = ("tent", "Tent", "TENT", "stove", "red", "Straße", "strasse", "a", "42", "été", "x_1", "-")

texts = st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join)
products = st.builds(Product, st.booleans(), texts, texts)
catalogues = st.dictionaries(st.text(min_size=1, max_size=3), products, max_size=9)


def goods(title: str, category: str = "", *, available: bool = True) -> Product:
    """Return a product."""
    return Product(available, title, category)


def nearest(catalogue: dict[str, Product], top_n: int) -> dict[str, list[tuple[str, float]]]:
    """Return the computed list of every product."""
    items = list(catalogue)
    found = Texts(catalogue).nearest(items, top_n)
    return {
        item: [(match.item, match.score) for match in some]
        for item, some in zip(items, found, strict=True)
    }


@examples(400)
@given(catalogues, st.integers(1, 4))
def test_lists_equal_the_definition_with_every_tie(
    catalogue: dict[str, Product], top_n: int
) -> None:
    """Scores to 1e-9, to which the oracle rounds; items that it finds equal are in order of ids."""
    found = nearest(catalogue, top_n)
    truth = {
        item: oracle.content(
            item, {name: one.available for name, one in catalogue.items()},
            {name: f"{one.title} {one.category}" for name, one in catalogue.items()},
        )
        for item in catalogue
    }  # fmt: skip
    for item, some in found.items():
        true = dict(truth[item])
        best = sorted(true.values(), reverse=True)[:top_n]
        assert [true[other] for other, _ in some] == pytest.approx(best, abs=1e-12)
        assert [score for _, score in some] == pytest.approx(best, abs=1e-12)
        assert some == sorted(some, key=lambda one: (-one[1], one[0].encode()))


def test_products_of_the_same_words_stand_by_the_bytes_of_their_ids() -> None:
    """Equal texts have equal scores, to the bit; the shorter list is a prefix of the longer one.

    The order of code units would put the last two the other way round.
    """
    names = ["b", "é", "a", "\uffee", "\U0001f600", "B"]
    catalogue = {name: goods("red tent") for name in names}
    catalogue["new"] = goods("tent", "camping")
    found = nearest(catalogue, 9)["new"]
    assert [item for item, _ in found] == ["B", "a", "b", "é", "\uffee", "\U0001f600"]
    assert len({score for _, score in found}) == 1
    for top_n in range(1, 7):
        assert nearest(catalogue, top_n)["new"] == found[:top_n]


def test_what_is_not_available_is_near_nothing_and_counts_all_the_same() -> None:
    """It leaves lists, and the scores of other items stay the same."""
    catalogue = {
        "a": goods("red tent"), "b": goods("blue tent"),
        "c": goods("tent", "red"), "d": goods(""),
    }  # fmt: skip
    before = nearest(catalogue, 9)
    catalogue["c"] = goods("tent", "red", available=False)
    after = nearest(catalogue, 9)
    assert [item for item, _ in before["a"]] == ["c", "b"]
    assert after["a"] == before["a"][1:]
    assert after["c"] == before["c"]
    assert before["d"] == []


def test_scores_are_those_of_scikit_learn() -> None:
    """On a seeded catalogue of two thousand words, with a vectorizer of the same word pattern."""
    chance = np.random.default_rng(7)
    titles = [" ".join(f"W{word}" for word in chance.zipf(1.3, 8) % 2_000) for _ in range(300)]
    catalogue = {
        f"p{number:03}": goods(title, f"c{number % 7}/Ä{number % 3}")
        for number, title in enumerate(titles)
    }
    # Imported here: every process of a run collects this file, and scikit-learn is slow.
    text = import_module("sklearn.feature_extraction.text")
    model = text.TfidfVectorizer(preprocessor=str.casefold, token_pattern=r"\w+")  # noqa: S106
    rows = model.fit_transform(f"{one.title} {one.category}" for one in catalogue.values())
    expected = (rows @ rows.T).toarray()
    np.fill_diagonal(expected, 0.0)
    found = np.zeros_like(expected)
    for item, some in nearest(catalogue, 300).items():
        for other, score in some:
            found[int(item[1:]), int(other[1:])] = score
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert ((found > 0) == (expected > 0)).all()


def test_a_word_is_a_run_of_letters_digits_and_underscores() -> None:
    """Casefolded: capitals and the sharp s are no other words; a hyphen separates words."""
    words = words_of(goods("GROSSE Größe, X_1-rot", "été/42"))
    assert words == ["grosse", "grösse", "x_1", "rot", "été", "42"]
    assert Counter(words_of(goods("tent tent", "Tent"))) == {"tent": 3}


def test_the_definition_by_hand() -> None:
    """Three products: `tent` is in all of them, so its idf is 1; `red` is in two."""
    catalogue = {
        "a": goods("red tent"), "b": goods("tent", "red"),
        "c": goods("tent", "tent"),
    }  # fmt: skip
    found = nearest(catalogue, 9)["a"]
    red = math.log(4 / 3) + 1
    assert [item for item, _ in found] == ["b", "c"]
    expected = [1.0, 1 / math.hypot(1, red)]
    assert [score for _, score in found] == pytest.approx(expected, abs=1e-12)
