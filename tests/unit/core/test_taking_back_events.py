"""Events that take back, hide and forget: what each one says, in every kind of lists."""

from typing import Any

import pytest

from streamapp.config.rules import event_rules
from streamapp.config.settings import Settings
from streamapp.core.events.event_reader import EventReader
from streamapp.core.events.interaction_sink import NO_ITEM, NOBODY, InteractionSink
from streamapp.core.events.projection import PROJECTIONS
from streamapp.core.events.refusals import Refusal
from streamapp.core.histories.event_types import NO_ORDER
from streamapp.core.histories.marks import order_number
from streamapp.core.list_kinds import BOUGHT_AFTER_VIEW, BOUGHT_TOGETHER
from tests.support.reading import NOW, Record, encoded

Took = tuple[str, str, str, float]
"""User, item, type, order."""


class Taken(InteractionSink):
    """Remembers interactions with their orders, and the times of them."""

    def __init__(self) -> None:
        self.taken: list[Took] = []
        self.times: list[float] = []
        self.skipped: list[str] = []

    def add(
        self, offset: int, user: str, item: str, event_type: str, ts: float, order: float = NO_ORDER
    ) -> None:
        """Take an interaction."""
        self.taken.append((user, item, event_type, order))
        self.times.append(ts)

    def leave(self, offset: int, user: str, into: str, logged_ms: int) -> None:
        """Take an event that ends a history; the user who takes it over is its item."""
        self.add(offset, user, into, "merge" if into else "forget", -float("inf"))

    def skip(self, offset: int, user: str, event_type: str) -> None:
        """Take an event of an unknown type."""
        self.skipped.append(event_type)


def read(
    *events: Any, form: str = "flat", key: bytes | None = b"u", **chosen: Any
) -> tuple[dict[str, Taken], list[Refusal]]:
    """Return the interactions of events by kind of lists, and what is refused."""
    settings = Settings(_env_file=None, event_formats={"clicks": form}, **chosen)
    reader = EventReader(event_rules(settings), "clicks")
    found = {kind: Taken() for kind in ("item", *PROJECTIONS)}
    projections = [(project, found[kind]) for kind, project in PROJECTIONS.items()]
    records = [Record(encoded(event), key=key) for event in events]
    refusals = reader.read(records, found["item"], projections)
    return found, refusals


def taken(*events: Any, kind: str = "item", **chosen: Any) -> list[Took]:
    """Return the interactions of events of user u, of which none is refused."""
    found, refusals = read(*({"user_id": "u", "ts": NOW, **event} for event in events), **chosen)
    assert not refusals
    return found[kind].taken


O1 = order_number("o1")


def test_a_refund_names_an_item_an_order_or_items_of_an_order() -> None:
    """The item of a whole order is none."""
    events = (
        {"type": "refund", "item_id": "a"},
        {"type": "refund", "item_id": "a", "order_id": "o1"},
        {"type": "refund", "order_id": "o1"},
        {"type": "refund", "order_id": "o1", "item_id": ""},
        {"type": "refund", "order_id": "o1", "items": [{"item_id": "a"}, {"item_id": "b"}]},
    )
    assert taken(*events) == [
        ("u", "a", "refund", NO_ORDER),
        ("u", "a", "refund", O1),
        ("u", NO_ITEM, "refund", O1),
        ("u", NO_ITEM, "refund", O1),
        ("u", "a", "refund", O1),
        ("u", "b", "refund", O1),
    ]
    assert taken(*events, kind=BOUGHT_AFTER_VIEW) == [
        ("u", "b:a", "refund", NO_ORDER),
        ("u", "b:a", "refund", O1),
        ("u", NO_ITEM, "refund", O1),
        ("u", NO_ITEM, "refund", O1),
        ("u", "b:a", "refund", O1),
        ("u", "b:b", "refund", O1),
    ]
    assert taken(*events, kind=BOUGHT_TOGETHER) == [
        ("u:u", "a", "refund", NO_ORDER),
        ("o:o1", "a", "refund", NO_ORDER),
        ("o:o1", NO_ITEM, "refund", NO_ORDER),
        ("o:o1", NO_ITEM, "refund", NO_ORDER),
        ("o:o1", "a", "refund", NO_ORDER),
        ("o:o1", "b", "refund", NO_ORDER),
    ]


def test_a_purchase_says_its_order_and_no_other_interaction_does() -> None:
    """An integer of any size is its decimal string."""
    wide = 2**70
    events = (
        {"type": "purchase", "item_id": "a", "order_id": "o1"},
        {"type": "purchase", "items": [{"item_id": "a"}], "order_id": wide},
        {"type": "purchase", "item_id": "a", "order_id": None},
        {"type": "click", "item_id": "a", "order_id": "o1"},
        {"type": "add_to_cart", "item_id": "a", "order_id": "o1"},
    )
    orders = [order for *_, order in taken(*events)]
    assert orders == [O1, order_number(str(wide)), NO_ORDER, NO_ORDER, NO_ORDER]


def test_an_order_that_cannot_be_one_is_refused_of_a_refund_and_ignored_of_a_purchase() -> None:
    """A purchase counts without it, where baskets are not counted."""
    settings = Settings(_env_file=None)
    reader, sink = EventReader(event_rules(settings), "clicks"), Taken()
    event = {"user_id": "u", "item_id": "a", "ts": NOW}
    orders: list[object] = [[], 1.5, "x" * 513]
    records = [
        Record(encoded({**event, "type": kind, "order_id": order}), key=b"u")
        for kind in ("purchase", "refund")
        for order in orders
    ]
    refusals = reader.read(records, sink)
    assert [refusal.code for refusal in refusals] == ["invalid_id", "invalid_id", "id_too_long"]
    assert sink.taken == [("u", "a", "purchase", NO_ORDER)] * 3


@pytest.mark.parametrize("kind", ["refund", "remove_from_cart", "hide", "unhide"])
def test_what_takes_back_needs_an_item(kind: str) -> None:
    """Only a refund may name an order instead."""
    _, refusals = read({"user_id": "u", "type": kind, "ts": NOW})
    assert [refusal.code for refusal in refusals] == ["missing_id"]
    if kind != "refund":
        _, refusals = read({"user_id": "u", "type": kind, "ts": NOW, "order_id": "o1"})
        assert [refusal.code for refusal in refusals] == ["missing_id"]


def test_an_empty_order_is_no_refund_of_everything() -> None:
    """Shopify says so of a refund of postage; a GA4 export says so of a whole order."""
    refund = {"user_id": "u", "type": "refund", "order_id": "o1", "ts": NOW, "items": []}
    assert [refusal.code for refusal in read(refund)[1]] == ["missing_id"]
    row = {
        "event_name": "refund", "event_timestamp": int(NOW * 1e6), "user_id": "u", "items": [],
        "ecommerce": {"transaction_id": "o1"},
    }  # fmt: skip
    found, refusals = read(row, form="ga4")
    assert (found["item"].taken, refusals) == ([("u", NO_ITEM, "refund", O1)], [])


def test_hiding_concerns_the_own_list_and_nothing_else() -> None:
    """Of several items too."""
    events = ({"type": "hide", "items": [{"item_id": "a"}, {"item_id": "b"}]},
              {"type": "unhide", "item_id": "a"})  # fmt: skip
    assert [one[1:3] for one in taken(*events)] == [("a", "hide"), ("b", "hide"), ("a", "unhide")]
    for kind in PROJECTIONS:
        assert taken(*events, kind=kind) == []


def test_what_left_the_cart_was_viewed() -> None:
    """A basket holds purchases alone."""
    event = {"type": "remove_from_cart", "item_id": "a"}
    assert taken(event) == [("u", "a", "remove_from_cart", NO_ORDER)]
    assert taken(event, kind=BOUGHT_AFTER_VIEW) == [("u", "v:a", "remove_from_cart", NO_ORDER)]
    assert taken(event, kind=BOUGHT_TOGETHER) == []


def test_forgetting_needs_a_user_and_nothing_else() -> None:
    """Its time is that of nothing, so a clock that is wrong hinders nobody."""
    found, refusals = read({"type": "forget", "user_id": "u"},
                           {"type": "forget", "user_id": "u", "ts": 5, "item_id": []})  # fmt: skip
    assert not refusals
    assert found["item"].taken == [("u", NO_ITEM, "forget", NO_ORDER)] * 2
    assert found[BOUGHT_TOGETHER].taken == [("u:u", NO_ITEM, "forget", NO_ORDER)] * 2
    assert found[BOUGHT_AFTER_VIEW].taken == [("u", NO_ITEM, "forget", NO_ORDER)] * 2
    assert set(found["item"].times) == {-float("inf")}


def test_only_the_key_of_the_user_forgets_where_keys_are_checked() -> None:
    """As for every other event."""
    event = {"type": "forget", "user_id": "u"}
    assert [one.code for one in read(event, key=b"v")[1]] == ["key_mismatch"]
    found, refusals = read(event, key=b"v", key_mismatch="accept")
    assert (len(found["item"].taken), refusals) == (1, [])
    assert [one.code for one in read({"type": "forget"})[1]] == ["missing_id"]


def test_who_is_ignored_is_not_forgotten_and_takes_nothing_back_but_from_orders() -> None:
    """Nothing is kept of such a user."""
    events = [{"user_id": "u", "ts": NOW, "type": "forget"},
              {"user_id": "u", "ts": NOW, "type": "refund", "item_id": "a", "order_id": "o1"},
              {"user_id": "u", "ts": NOW, "type": "refund", "item_id": "a"}]  # fmt: skip
    found, refusals = read(*events, ignored_users=("u",))
    assert not refusals
    assert [one[:3] for one in found["item"].taken] == [(NOBODY, "a", "refund")] * 2
    assert [one[:3] for one in found[BOUGHT_TOGETHER].taken] == [("o:o1", "a", "refund")]
    assert not found[BOUGHT_AFTER_VIEW].taken


def test_what_takes_back_a_type_that_does_not_count_is_of_an_unknown_type() -> None:
    """It is skipped, like the type itself."""
    events = [{"user_id": "u", "item_id": "a", "ts": NOW, "type": kind}
              for kind in ("purchase", "refund", "remove_from_cart", "hide")]  # fmt: skip
    found, refusals = read(*events, event_weights={"click": 1.0})
    assert not refusals
    assert found["item"].skipped == ["purchase", "refund", "remove_from_cart"]
    assert [one[2] for one in found["item"].taken] == ["hide"]


def test_other_names_may_take_back_and_what_takes_back_has_no_weight() -> None:
    """A weight would say that it counts."""
    event = {"type": "return", "item_id": "a"}
    assert taken(event, event_aliases={"return": "refund"}) == [("u", "a", "refund", NO_ORDER)]
    with pytest.raises(ValueError, match="EVENT_WEIGHTS gives refund a weight"):
        Settings(_env_file=None, event_weights={"click": 1.0, "refund": 2.0})
    with pytest.raises(ValueError, match="more than 200 types"):
        Settings(_env_file=None, event_weights={f"type-{number}": 1.0 for number in range(201)})
