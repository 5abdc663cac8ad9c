"""The same stream in any format is the same interactions; any JSON is read or refused."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamapp.core.events.formats.known_formats import ARRAYS, FORMAT_NAMES
from streamapp.core.events.projection import PROJECTIONS
from streamapp.core.events.refusals import CODES
from streamapp.core.list_kinds import BOUGHT_TOGETHER
from streamapp.eventlog import read_log
from tests.support.reading import NOW, RULES, Interaction, Said, encoded, said


class Event(NamedTuple):
    """An event that every format can express."""

    user: str
    is_known: bool
    type: str
    items: tuple[str, ...]
    order: str
    ts: float

    @property
    def ids(self) -> tuple[str | None, str | None]:
        """The user, or else the visitor."""
        return (self.user, None) if self.is_known else (None, self.user)

    @property
    def iso(self) -> str:
        """The time as a text."""
        return datetime.fromtimestamp(self.ts, UTC).isoformat().replace("+00:00", "Z")


ids = st.text(
    st.characters(codec="utf-8", exclude_characters="\0?"), min_size=1, max_size=4
).filter(lambda text: text == text.strip() and not text.startswith("gid:") and text != "(not set)")
moments = st.integers(0, 10_000_000).map(lambda ms: NOW - 10_000 + ms / 1_000)
kinds = st.sampled_from(["click", "add_to_cart", "remove_from_cart", "purchase", "refund"])


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Return an event; only orders name several items."""
    kind = draw(kinds)
    most = 4 if kind in {"purchase", "refund"} else 1
    items = draw(st.lists(ids, min_size=1, max_size=most, unique=True))
    return Event(draw(ids), draw(st.booleans()), kind, tuple(items), draw(ids), draw(moments))


def as_flat(event: Event) -> Any:
    """Write an event as the app reads it without a translation."""
    user, visitor = event.ids
    fields = {"user_id": user, "anonymous_id": visitor, "type": event.type, "ts": event.ts,
              "order_id": event.order}  # fmt: skip
    if len(event.items) == 1:
        return {**fields, "item_id": event.items[0], "price": 1.5, "quantity": 2}
    return {**fields, "items": [{"item_id": item, "quantity": 1} for item in event.items]}


def as_segment(event: Event) -> Any:
    """Write an event as a call of Segment."""
    names = {"click": "Product Viewed", "add_to_cart": "Product Added",
             "purchase": "Order Completed", "remove_from_cart": "Product Removed",
             "refund": "Order Refunded"}  # fmt: skip
    user, visitor = event.ids
    products: dict[str, Any] = {"products": [{"product_id": item} for item in event.items]}
    if event.type not in {"purchase", "refund"}:
        products = {"product_id": event.items[0]}
    products["order_id"] = event.order
    return {"type": "track", "event": names[event.type], "userId": user, "anonymousId": visitor,
            "timestamp": event.iso, "properties": products}  # fmt: skip


def as_ga4(event: Event) -> Any:
    """Write an event as a request of the Measurement Protocol."""
    name = {"click": "view_item"}.get(event.type, event.type)
    user, visitor = event.ids
    params = {"transaction_id": event.order, "items": [{"item_id": item} for item in event.items]}
    return {"client_id": visitor or "device", "user_id": user,
            "timestamp_micros": round(event.ts * 1_000) * 1_000,
            "events": [{"name": name, "params": params}]}  # fmt: skip


def as_snowplow(event: Event) -> Any:
    """Write an event as the analytics SDKs of Snowplow do."""
    name = {"click": "product_view", "purchase": "transaction"}.get(event.type, event.type)
    user, visitor = event.ids
    column = "com_snowplowanalytics_snowplow_ecommerce"
    return {"event": "unstruct", "event_name": "snowplow_ecommerce_action", "user_id": user,
            "domain_userid": visitor, "collector_tstamp": event.iso,
            f"unstruct_event_{column}_snowplow_ecommerce_action_1": {"type": name},
            f"contexts_{column}_product_1": [{"id": item} for item in event.items],
            f"contexts_{column}_transaction_1": [{"transaction_id": event.order}]}  # fmt: skip


def as_cloudevents(event: Event) -> Any:
    """Write an event as a CloudEvent around the flat form."""
    data = as_flat(event)
    del data["type"], data["ts"]
    return {"specversion": "1.0", "id": "1", "source": "/shop", "type": f"com.example.{event.type}",
            "time": event.iso, "data": data}  # fmt: skip


def as_shopify(event: Event) -> Any:
    """Write an event as a web pixel or a webhook does."""
    user, visitor = event.ids
    products = [{"id": f"gid://shopify/Product/{item}"} for item in event.items]
    if event.type == "refund":
        return {"id": 1, "order_id": event.order, "created_at": event.iso,
                "customer": {"id": event.user}, "refund_line_items":
                [{"line_item": {"product_id": item}} for item in event.items]}  # fmt: skip
    names = {"click": "product_viewed", "add_to_cart": "product_added_to_cart",
             "remove_from_cart": "product_removed_from_cart",
             "purchase": "checkout_completed"}  # fmt: skip
    data: dict[str, Any] = {"cartLine": {"merchandise": {"product": products[0]}}}
    if event.type == "click":
        data = {"productVariant": {"product": products[0]}}
    elif event.type == "purchase":
        lines = [{"variant": {"product": one}} for one in products]
        data = {"checkout": {"order": {"id": event.order}, "lineItems": lines}}
    return {"id": "1", "name": names[event.type], "clientId": visitor or "device",
            "timestamp": event.iso, "data": data, "customer": {"id": user}}  # fmt: skip


def as_matomo(event: Event) -> Any:
    """Write an event as a request of the Tracking API; it has no refunds."""
    user, visitor = event.ids
    request = {"idsite": "1", "rec": "1", "cdt": f"{event.ts:.3f}",
               **({"uid": user} if user else {"_id": visitor})}  # fmt: skip
    rows = json.dumps([[item, "name", "category", 1.5, 1] for item in event.items])
    if event.type == "click":
        request["_pks"] = event.items[0]
    else:
        more = {"ec_id": event.order} if event.type == "purchase" else {}
        request |= {"idgoal": "0", "ec_items": rows, **more}
    return {"requests": ["?" + urlencode(request)]}


WRITERS: dict[str, Callable[[Event], Any]] = {
    "flat": as_flat,
    "segment": as_segment,
    "ga4": as_ga4,
    "snowplow": as_snowplow,
    "cloudevents": as_cloudevents,
    "shopify": as_shopify,
    "matomo": as_matomo,
}


def told(stream: Sequence[Event], form: str) -> list[Event]:
    """Return the part of a stream that a format can express."""
    able = {"matomo": {"click", "add_to_cart", "purchase"}}.get(form)
    simple = [event for event in stream if able is None or event.type in able]
    if form == "shopify":
        # Its pixels name a device when the customer is unknown; its refunds name customers.
        return [event for event in simple if event.type != "refund" or event.is_known]
    return simple


@pytest.mark.parametrize("form", WRITERS)
@given(stream=st.lists(events(), max_size=8))
def test_a_stream_in_any_format_is_the_same_interactions(form: str, stream: list[Event]) -> None:
    """Also baskets, on its own topic and with format `auto`, and in one array."""
    simple = told(stream, form)
    expected = [
        Interaction(event.user, item, event.type, event.ts)
        for event in simple
        for item in event.items
    ]
    orders = [(f"o:{event.order}", item) for event in simple for item in event.items
              if event.type == "purchase"]  # fmt: skip
    for name in (form, "auto"):
        baskets = Said()
        found = said([WRITERS[form](event) for event in simple], name,
                     projections=[(PROJECTIONS[BOUGHT_TOGETHER], baskets)])  # fmt: skip
        assert (found.taken, found.codes, found.skipped) == (expected, [], [])
        assert [(one.user, one.item) for one in baskets.taken] == orders


@pytest.mark.parametrize("form", WRITERS)
@given(stream=st.lists(events(), max_size=8))
def test_a_log_in_any_format_is_read_as_the_worker_reads_it(
    form: str, stream: list[Event], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One event of the log for each interaction, in any format of its lines."""
    path: Path = tmp_path_factory.mktemp("log") / "log.jsonl"
    values = [encoded(WRITERS[form](event)) for event in told(stream, form)]
    path.write_bytes(b"\n".join(values))
    logged = [Interaction(one.user_id, one.item_id, RULES.types[one.type or ""], one.ts or 0.0)
              for one in read_log([path], RULES)]  # fmt: skip
    assert logged == [one for value in values for one in said(value, form).taken]


NAMES = sorted(
    ARRAYS
    | {"user_id", "userId", "anonymousId", "item_id", "items", "type", "ts", "event", "properties",
       "products", "product_id", "client_id", "name", "params", "event_name", "event_timestamp",
       "event_params", "ecommerce", "key", "value", "collector_tstamp", "contexts",
       "unstruct_event",
       "schema", "specversion", "data_base64", "line_items", "refund_line_items", "customer", "id",
       "clientId", "checkout", "lineItems", "variant", "product", "cartLine", "merchandise",
       "detail",
       "payload", "idsite", "rec", "idgoal", "ec_items", "ec_id", "_pks", "uid", "itemDetails",
       "contexts_com_snowplowanalytics_snowplow_ecommerce_product_1",
       "unstruct_event_com_snowplowanalytics_snowplow_ecommerce_snowplow_ecommerce_action_1"}
)  # fmt: skip
words = st.sampled_from(
    ["track", "purchase", "Order Completed", "snowplow_ecommerce_action", "action", "refund",
     "checkout_completed", "product_viewed", "view_item", "transaction", "0", "1700000000", "e30=",
     "?idsite=1&_pks=a", '[["a"],[],1]', "iglu:a/b/jsonschema/1-0-0", "gid://shopify/Product/1"]
)  # fmt: skip
leaves = st.none() | st.booleans() | st.integers() | st.floats() | words | st.text(max_size=3)
json_values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
    ),
    max_leaves=25,
)


@pytest.mark.parametrize("form", FORMAT_NAMES)
@given(value=json_values)
@example(value={"line_items": [{"product_id": float("nan")}]})
@example(value=[{"event": "x", "userId": 2**70, "properties": {"products": [2**70, {}]}}])
def test_any_json_is_counted_skipped_or_refused(form: str, value: Any) -> None:
    """No exception in any format; a refused value is a part of the input, and has a code."""
    raw = encoded(value)
    found = said(raw, form)
    assert set(found.codes) <= set(CODES)
    for refusal in found.refusals:
        assert refusal.value is not None
        assert refusal.value in raw


@pytest.mark.parametrize("form", FORMAT_NAMES)
@given(
    value=st.binary(max_size=80) | st.text('[]{}",:\\ud8N1e\t?=&.- ', max_size=80).map(str.encode)
)
def test_any_bytes_are_counted_skipped_or_refused(form: str, value: bytes) -> None:
    """No exception either."""
    assert set(said(value, form).codes) <= set(CODES)


@pytest.mark.parametrize("form", FORMAT_NAMES)
@pytest.mark.parametrize("depth", [990, 1_022, 3_000])
def test_what_is_nested_deeply_is_counted_skipped_or_refused(form: str, depth: int) -> None:
    """In every field that a translation reads."""
    for name in NAMES:
        key = json.dumps(name).encode()
        for inside in (b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
            value = b'{"userId": "u", "event": "x", "specversion": "1", %b: %b}' % (key, inside)
            assert set(said(value, form).codes) <= set(CODES)
