"""Comparing content neighbours: the true ones pass, and each fault is found."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from streamapp.audit.comparison import Comparison
from streamapp.audit.content import compare_content, content_lists
from streamapp.core.events.catalogue_record import Product
from tests.support import oracle


def goods(title: str, category: str = "", *, available: bool = True) -> Product:
    """Return a product."""
    return Product(available, title, category)


PRODUCTS = {
    "a": goods("red tent", "outdoor"),
    "b": goods("blue tent", "outdoor"),
    "c": goods("red stove", "outdoor"),
    "d": goods("guitar", "music"),
    "sold": goods("red tent", "outdoor", available=False),
    "dumb": goods(""),
}
TRUE = {
    item: oracle.content(
        item,
        {name: one.available for name, one in PRODUCTS.items()},
        {name: f"{one.title} {one.category}" for name, one in PRODUCTS.items()},
    )
    for item in PRODUCTS
}


def encoded(item: str, entries: Sequence[tuple[str, float]], **fields: Any) -> bytes:
    """Return a list as frontends read it."""
    items = [
        {"id": one, "score": score, "support": 0, "reason": "content", **fields}
        for one, score in entries
    ]
    return json.dumps(
        {"v": 1, "kind": "item", "id": item, "seq": 1, "items": items}, separators=(",", ":")
    ).encode()


def compare(counted: Sequence[str] = (), top_n: int = 2, **changed: Any) -> Comparison:
    """Compare the true lists, some of which are changed."""
    lists: Mapping[str, bytes | None] = {
        item: encoded(item, TRUE[item][:top_n])
        for item, one in PRODUCTS.items()
        if one.available and TRUE[item] and item not in counted
    } | changed
    present = {item: content for item, content in lists.items() if content}
    return compare_content(PRODUCTS, present, counted, top_n)


@pytest.mark.parametrize("top_n", [1, 2, 9])
def test_true_lists_pass(top_n: int) -> None:
    """Available products without a list of counts; a product with no near one has no list."""
    found = compare(top_n=top_n)
    assert (found.compared, found.different, found.examples) == (3, 0, [])
    assert compare(["a", "c", "d", "other"], top_n).compared == 1


def test_products_without_a_word_are_near_nothing() -> None:
    """A catalogue may have no titles at all."""
    assert (
        compare_content({"x": PRODUCTS["dumb"], "y": PRODUCTS["dumb"]}, {}, (), 3) == Comparison()
    )


A = TRUE["a"][:2]


@pytest.mark.parametrize(
    ("item", "content", "found"),
    [
        ("a", None, "no list"),
        ("a", b"{", "unreadable"),
        ("a", encoded("b", A), "v, kind and id"),
        ("a", encoded("a", A[:1]), "1 entries instead of 2"),
        ("a", encoded("a", [A[0], A[0]]), "one of them twice"),
        ("a", encoded("a", A[::-1]), "not in the order"),
        ("a", encoded("a", A, support=1), "has support"),
        ("a", encoded("a", [A[0], (A[1][0], A[1][1] - 1e-6)]), "scores"),
        ("a", encoded("a", [("sold", 1.0), A[0]]), "scores"),
        ("a", encoded("a", [A[0], ("a", A[1][1] / 2)]), "scores"),
        ("sold", encoded("sold", A), "of content"),
        ("stranger", encoded("stranger", A), "of content"),
        ("d", encoded("d", [("a", 0.5)]), "1 entries instead of 0"),
    ],
)
def test_each_fault_is_found(item: str, content: bytes | None, found: str) -> None:
    """One list differs, and the message says how."""
    changed: dict[str, Any] = {item: content}
    result = compare(**changed)
    assert result.different == 1
    (example,) = result.examples
    assert (example.where, found in example.found) == (f"list of {item}", True)


def test_with_a_tolerance_scores_may_be_older() -> None:
    """By a share of the listed score."""
    older = [(item, score * 1.009) for item, score in TRUE["a"]]
    others = {item: encoded(item, TRUE[item]) for item in ("b", "c") if TRUE[item]}
    lists = {"a": encoded("a", older), **others}
    assert compare_content(PRODUCTS, lists, ("sold",), 9).different == 1
    assert compare_content(PRODUCTS, lists, ("sold",), 9, 0.01).different == 0
    assert compare_content(PRODUCTS, lists, ("sold",), 9, 0.008).different == 1


def test_content_where_counts_have_a_list_is_found() -> None:
    """A list from both is no list of content; it is compared with the counts."""
    assert compare(["a"], a=encoded("a", A)).different == 1
    both = json.loads(encoded("b", A))
    del both["items"][0]["reason"]
    lists = [encoded("a", A), json.dumps(both).encode(), None, b'"content"', b'{"items":[]}']
    assert list(content_lists(["a", "b", "c", "d", "e"], lists)) == ["a"]
