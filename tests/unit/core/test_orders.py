"""An order is one interaction with each of its products, and a bad line is refused alone."""

import json
from typing import Any

import pytest

from streamapp.core.events.interaction_sink import NOBODY
from streamapp.core.events.projection import PROJECTIONS
from streamapp.core.list_kinds import BOUGHT_AFTER_VIEW, BOUGHT_TOGETHER
from tests.support.reading import NOW, Interaction, Said, said


def order(*lines: object, **fields: object) -> dict[str, Any]:
    """Return an order of these lines."""
    return {"user_id": "u", "type": "purchase", "ts": NOW, "order_id": "o1",
            "items": list(lines), **fields}  # fmt: skip


def products(*names: str) -> list[dict[str, Any]]:
    """Return lines, each with a quantity and a price."""
    return [{"item_id": name, "quantity": 2, "price": 9.5} for name in names]


def test_every_product_is_an_interaction_of_the_same_order() -> None:
    """Baskets know that they were bought together; quantity and price do not count."""
    baskets, roles = Said(), Said()
    kinds = [(PROJECTIONS[BOUGHT_TOGETHER], baskets), (PROJECTIONS[BOUGHT_AFTER_VIEW], roles)]
    found = said(order(*products("a", "b")), projections=kinds)
    assert found.taken == [Interaction("u", item, "purchase", NOW) for item in ("a", "b")]
    assert [(one.user, one.item) for one in baskets.taken] == [("o:o1", "a"), ("o:o1", "b")]
    assert [one.item for one in roles.taken] == ["b:a", "b:b"]
    assert not found.refusals


def test_a_product_that_is_named_twice_is_one_interaction() -> None:
    """Two sizes of one shirt are one product."""
    assert [one.item for one in said(order(*products("a", "b", "a"))).taken] == ["a", "b"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ({"item_id": None}, "missing_id"),
        ({}, "missing_id"),
        ({"item_id": 1.5}, "invalid_id"),
        ({"item_id": 1e30}, "invalid_id"),
        ({"item_id": "x" * 513}, "id_too_long"),
        ("a", "not_an_event"),
        (None, "not_an_event"),
        ([], "not_an_event"),
    ],
)
def test_a_bad_line_is_refused_alone_byte_for_byte(line: object, code: str) -> None:
    """The lines beside it count."""
    found = said([order(*products("a"), line, *products("b"))])
    assert [one.item for one in found.taken] == ["a", "b"]
    assert [(one.code, one.value) for one in found.refusals] == [(code, json.dumps(line).encode())]


def test_integers_of_any_size_in_the_lines_alone_are_their_decimal_strings() -> None:
    """The fast reader makes floats of them, so the order is read again before it counts."""
    large = [2**63, 2**64, -(2**63) - 1, 10**25]
    found = said(order({"item_id": "a"}, *({"item_id": number} for number in large)))
    assert [one.item for one in found.taken] == ["a", *map(str, large)]
    assert not found.refusals


def test_a_float_of_any_size_is_no_id_of_a_line() -> None:
    """The lines beside it count once."""
    for number in (9.3e18, -9.3e18, 2.0**63, -(2.0**63), 1.0):
        found = said(order({"item_id": "a"}, {"item_id": number}))
        assert [one.item for one in found.taken] == ["a"]
        assert found.codes == ["invalid_id"]


def test_of_a_giant_order_the_first_items_count_and_the_rest_is_one_dead_letter() -> None:
    """As many as the setting says, each counted once."""
    giant = order(*products(*map(str, range(1_000)), "0"))
    found = said(giant)
    assert [one.item for one in found.taken] == [str(number) for number in range(200)]
    assert [(one.code, one.value) for one in found.refusals] == [
        ("order_too_large", json.dumps(giant).encode())
    ]
    assert len(said(giant, max_order_items=3).taken) == 3
    assert not said(order(*products("a", "b", "c", "a")), max_order_items=3).refusals


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"items": []}, "missing_id"),
        ({"items": {}}, "invalid_items"),
        ({"items": "a"}, "invalid_items"),
        ({"items": None}, "missing_id"),
        ({"user_id": None}, "missing_id"),
        ({"ts": "soon"}, "invalid_ts"),
        ({"type": 3}, "invalid_type"),
    ],
)
def test_what_is_wrong_with_an_order_as_a_whole_refuses_it_whole(
    fields: dict[str, object], code: str
) -> None:
    """No line of it is counted, and it is one dead letter."""
    found = said(order(*products("a", "b"), **fields))
    assert (found.taken, found.codes) == ([], [code])


def test_an_order_whose_id_can_be_none_is_refused_before_anything_of_it_counts() -> None:
    """Only baskets read it, and a bad one is no reason to count half of an order."""
    baskets = Said()
    kinds = [(PROJECTIONS[BOUGHT_TOGETHER], baskets)]
    found = said(order(*products("a", "b"), order_id=[]), projections=kinds)
    assert (found.taken, baskets.taken, found.codes) == ([], [], ["invalid_id"])


def test_an_item_id_wins_over_items() -> None:
    """A tracker that names one product means it."""
    assert [one.item for one in said(order(*products("b"), item_id="a")).taken] == ["a"]
    assert [one.item for one in said(order(*products("b"), item_id="")).taken] == ["b"]


def test_a_visitor_counts_where_no_user_is_named() -> None:
    """Null, empty and left out are the same; the lines of an order have the same visitor."""
    for absent in ({"user_id": None}, {"user_id": ""}, {}):
        one = {"item_id": "a", "type": "click", "ts": NOW, "anonymous_id": 7, **absent}
        assert said(one).taken == [Interaction("7", "a", "click", NOW)]
    both = {"user_id": "u", "item_id": "a", "type": "click", "ts": NOW, "anonymous_id": []}
    assert said(both).taken == [Interaction("u", "a", "click", NOW)]
    assert said({"item_id": "a", "type": "click", "anonymous_id": []}).codes == ["invalid_id"]


def test_ignored_users_are_nobody_and_only_their_orders_are_baskets() -> None:
    """All users without an account would be one person who bought everything."""
    baskets, roles = Said(), Said()
    kinds = [(PROJECTIONS[BOUGHT_TOGETHER], baskets), (PROJECTIONS[BOUGHT_AFTER_VIEW], roles)]
    values = [
        order(*products("a", "b"), user_id=0),
        order(item_id="c", user_id="undefined", order_id=None),
        order(item_id="d"),
    ]
    ignored = frozenset({"0", "undefined"})
    found = said(values, projections=kinds, ignored_users=ignored)
    assert [(one.user, one.item) for one in found.taken] == [
        (NOBODY, "a"), (NOBODY, "b"), (NOBODY, "c"), ("u", "d"),
    ]  # fmt: skip
    assert [(one.user, one.item) for one in baskets.taken] == [
        ("o:o1", "a"), ("o:o1", "b"), ("o:o1", "d"),
    ]  # fmt: skip
    assert [(one.user, one.item) for one in roles.taken] == [("u", "b:d")]


def test_the_name_of_a_type_may_have_space_around_it_and_empty_is_left_out() -> None:
    """The topic implies the missing field, in every way to leave it out."""
    one = {"user_id": "u", "item_id": "a", "ts": NOW}
    for name in (" click", "view ", "", "  ", None):
        assert [found.type for found in said({**one, "type": name}, topic="clicks").taken] == [
            "click"
        ]
    assert said({**one, "type": "  "}).codes == ["invalid_type"]
