"""Events of other trackers, by their public specifications, and the same events in this app.

Every payload was written for these tests.
"""

import base64
import json
from copy import deepcopy
from typing import Any
from urllib.parse import urlencode

import pytest

from streamapp.core.events.formats.known_formats import FORMAT_NAMES, foreign_format
from streamapp.core.events.projection import PROJECTIONS
from streamapp.core.list_kinds import BOUGHT_TOGETHER
from tests.support.reading import NOW, Interaction, Said, encoded, said

ISO = "2023-11-14T22:13:20.000Z"
ECOMMERCE = "com.snowplowanalytics.snowplow.ecommerce"
COLUMN = "com_snowplowanalytics_snowplow_ecommerce"

VIEW = [Interaction("u1", "7", "click", NOW)]
VISIT = [Interaction("anon-1", "7", "click", NOW)]
CART = [Interaction("u1", "7", "add_to_cart", NOW)]
ORDER = [Interaction("u1", item, "purchase", NOW) for item in ("7", "8")]
REFUND = [one._replace(type="refund") for one in ORDER]

Case = tuple[str, Any, list[Interaction]]


def segment(event: str, properties: dict[str, Any], **call: Any) -> dict[str, Any]:
    """Return a call of Segment."""
    return {
        "messageId": "ajs-1",
        "type": "track",
        "event": event,
        "userId": "u1",
        "anonymousId": "anon-1",
        "timestamp": ISO,
        "sentAt": "2023-11-14T22:13:25.000Z",
        "context": {"library": {"name": "analytics.js"}},
        "properties": properties,
    } | call


SEGMENT_ORDER = {
    "order_id": "o1",
    "total": 30.5,
    "products": [
        {"product_id": "7", "sku": "G-7", "quantity": 1, "price": 9.5},
        {"sku": "8", "quantity": 2, "price": 10.5},
    ],
}

SEGMENT: list[Case] = [
    ("segment", segment("Product Viewed", {"product_id": "7", "sku": "G-7"}), VIEW),
    ("segment", segment("Product Clicked", {"product_id": 7, "position": 3}), VIEW),
    ("segment", segment("Product Added", {"product_id": "7", "quantity": 1}), CART),
    ("segment", segment("Product Viewed", {"sku": "7"}, userId=None), VISIT),
    ("segment", segment("Order Completed", SEGMENT_ORDER), ORDER),
    ("segment", segment("Order Refunded", SEGMENT_ORDER), REFUND),
    ("segment", segment("Order Cancelled", SEGMENT_ORDER), REFUND),
    ("segment", segment("Completed Order", SEGMENT_ORDER), ORDER),
    ("segment", {"batch": [segment("Order Completed", SEGMENT_ORDER)], "sentAt": ISO}, ORDER),
    ("segment", [segment("Order Completed", SEGMENT_ORDER)], ORDER),
    # RudderStack.
    ("segment", segment("Product Viewed", {"product_id": "7"}, channel="web", originalTimestamp=ISO,
                        timestamp=None), VIEW),
    # PostHog.
    ("segment", {"event": "Product Viewed", "distinct_id": "u1", "timestamp": ISO, "uuid": "x",
                 "properties": {"product_id": "7"}}, VIEW),
    ("segment", {"event": "Product Viewed", "timestamp": ISO,
                 "properties": {"product_id": "7", "distinct_id": "u1"}}, VIEW),
]  # fmt: skip

GA4_ITEMS = [
    {"item_id": "7", "item_name": "Tent", "price": 9.5, "quantity": 1},
    {"item_id": "8", "item_name": "Stove", "price": 10.5, "quantity": 2},
]


def measured(name: str, params: dict[str, Any], **envelope: Any) -> dict[str, Any]:
    """Return a request of the Measurement Protocol."""
    return {
        "client_id": "anon-1",
        "user_id": "u1",
        "timestamp_micros": "1700000000000000",
        "events": [{"name": name, "params": params}],
    } | envelope


def exported(name: str, items: list[Any], **row: Any) -> dict[str, Any]:
    """Return a row of the export."""
    return {
        "event_date": "20231114",
        "event_timestamp": 1_700_000_000_000_000,
        "event_name": name,
        "event_params": [{"key": "currency", "value": {"string_value": "EUR"}}],
        "user_id": "u1",
        "user_pseudo_id": "anon-1",
        "ecommerce": {"transaction_id": "(not set)"},
        "items": items,
    } | row


GA4: list[Case] = [
    ("ga4", measured("view_item", {"items": GA4_ITEMS[:1]}), VIEW),
    ("ga4", measured("view_item", {"items": GA4_ITEMS[:1]}, user_id=None), VISIT),
    ("ga4", measured("select_item", {"items": GA4_ITEMS[:1]}), VIEW),
    ("ga4", measured("add_to_cart", {"currency": "EUR", "items": GA4_ITEMS[:1]}), CART),
    ("ga4", measured("purchase", {"transaction_id": "o1", "items": GA4_ITEMS}), ORDER),
    ("ga4", measured("refund", {"transaction_id": "o1", "items": GA4_ITEMS}), REFUND),
    ("ga4", {"app_instance_id": "anon-1", "user_id": "u1", "events": [
        {"name": "view_item", "timestamp_micros": 1_700_000_000_000_000,
         "params": {"items": GA4_ITEMS[:1]}},
        {"name": "purchase", "timestamp_micros": 1_700_000_000_000_000,
         "params": {"items": GA4_ITEMS}}]}, VIEW + ORDER),
    ("ga4", exported("view_item", GA4_ITEMS[:1]), VIEW),
    ("ga4", exported("view_item", GA4_ITEMS[:1], user_id=None), VISIT),
    ("ga4", exported("purchase", GA4_ITEMS, ecommerce={"transaction_id": "o1"}), ORDER),
    ("ga4", {"event": "purchase", "user_id": "u1", "ecommerce":
             {"transaction_id": "o1", "items": GA4_ITEMS}},
     [one._replace(ts=1_700_000_000.5) for one in ORDER]),
]  # fmt: skip


def enriched(action: str, products: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """Return an enriched event as the analytics SDKs write it."""
    return {
        "app_id": "shop",
        "platform": "web",
        "collector_tstamp": "2023-11-14T22:13:21.500Z",
        "derived_tstamp": ISO,
        "event": "unstruct",
        "event_name": "snowplow_ecommerce_action",
        "event_vendor": ECOMMERCE,
        "user_id": "u1",
        "domain_userid": "anon-1",
        f"unstruct_event_{COLUMN}_snowplow_ecommerce_action_1": {"type": action},
        f"contexts_{COLUMN}_product_1": products,
        f"contexts_{COLUMN}_transaction_1": [{"transaction_id": "o1", "currency": "EUR"}],
    } | fields


def tab_separated(action: str, products: list[dict[str, Any]], user: str = "u1") -> bytes:
    """Return an enriched event as its stream has it."""
    columns = [""] * 131
    columns[0], columns[3], columns[5] = "shop", "2023-11-14 22:13:21.500", "unstruct"
    columns[12], columns[15], columns[124] = user, "anon-1", "2023-11-14 22:13:20.000"
    columns[126] = "snowplow_ecommerce_action"
    schema = f"iglu:{ECOMMERCE}/%s/jsonschema/1-0-0"
    entities = [("product", one) for one in products] + [("transaction", {"transaction_id": "o1"})]
    columns[52] = json.dumps({
        "schema": "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-1",
        "data": [{"schema": schema % name, "data": data} for name, data in entities],
    })  # fmt: skip
    columns[58] = json.dumps({
        "schema": "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0",
        "data": {"schema": schema % "snowplow_ecommerce_action", "data": {"type": action}},
    })  # fmt: skip
    return "\t".join(columns).encode()


PRODUCTS = [{"id": "7", "price": 9.5, "quantity": 1}, {"id": "8", "price": 10.5, "quantity": 2}]
SNOWPLOW: list[Case] = [
    ("snowplow", enriched("product_view", PRODUCTS[:1]), VIEW),
    ("snowplow", enriched("product_view", PRODUCTS[:1], user_id=None), VISIT),
    ("snowplow", enriched("list_click", PRODUCTS[:1]), VIEW),
    ("snowplow", enriched("add_to_cart", PRODUCTS[:1]), CART),
    ("snowplow", enriched("transaction", PRODUCTS), ORDER),
    ("snowplow", enriched("refund", PRODUCTS), REFUND),
    ("snowplow", tab_separated("product_view", PRODUCTS[:1]), VIEW),
    ("snowplow", tab_separated("product_view", PRODUCTS[:1], user=""), VISIT),
    ("snowplow", tab_separated("transaction", PRODUCTS), ORDER),
    ("snowplow", {"event": "transaction_item", "event_name": "transaction_item", "user_id": "u1",
                  "ti_sku": "7", "ti_orderid": "o1", "collector_tstamp": ISO}, ORDER[:1]),
    ("snowplow", {"event": "unstruct", "event_name": "add_to_cart", "user_id": "u1",
                  "collector_tstamp": ISO,
                  "unstruct_event_com_snowplowanalytics_snowplow_add_to_cart_1":
                  {"sku": "7", "quantity": 1}}, CART),
]  # fmt: skip


def cloud(data: Any, **attributes: Any) -> dict[str, Any]:
    """Return a CloudEvent in structured mode."""
    return {"specversion": "1.0", "id": "1", "source": "/shop", "type": "com.example.shop.view",
            "time": ISO, "data": data} | attributes  # fmt: skip


FLAT_ORDER = {"user_id": "u1", "type": "purchase", "order_id": "o1",
              "items": [{"item_id": "7"}, {"item_id": 8}]}  # fmt: skip
CLOUDEVENTS: list[Case] = [
    ("cloudevents", cloud({"user_id": "u1", "item_id": 7}), VIEW),
    ("cloudevents", cloud({"user_id": "u1", "item_id": "7", "ts": NOW}, time=None), VIEW),
    ("cloudevents", cloud({"anonymous_id": "anon-1", "item_id": "7"}, type="view"), VISIT),
    ("cloudevents", cloud({"user_id": "u1", "item_id": "7", "type": "add_to_cart"}), CART),
    ("cloudevents", cloud(FLAT_ORDER), ORDER),
    ("cloudevents", [cloud(FLAT_ORDER)], ORDER),
    ("cloudevents", cloud([FLAT_ORDER, {"user_id": "u1", "item_id": 7}]), ORDER + VIEW),
    ("cloudevents", {**cloud(None), "data_base64": base64.b64encode(encoded(FLAT_ORDER)).decode()},
     []),
]  # fmt: skip
del CLOUDEVENTS[-1][1]["data"]
CLOUDEVENTS[-1] = ("cloudevents", CLOUDEVENTS[-1][1], ORDER)


def pixel(name: str, data: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return an event of a web pixel."""
    return {"id": "sh-1", "clientId": "anon-1", "name": name, "timestamp": ISO, "seq": 1,
            "type": "standard", "context": {"document": {}}, "data": data} | fields  # fmt: skip


VARIANT = {"id": "70", "sku": "G-7", "product": {"id": "7", "title": "Tent"},
           "price": {"amount": 9.5, "currencyCode": "EUR"}}  # fmt: skip
KNOWN = {"customer": {"id": "u1"}}
PAID = {
    "id": 5_001,
    "user_id": 99,
    "customer": {"id": "gid://shopify/Customer/u1"},
    "created_at": "2023-11-14T17:13:20-05:00",
    "cancelled_at": None,
    "line_items": [
        {"id": 1, "product_id": 7, "variant_id": 70, "quantity": 1, "price": "9.50"},
        {"id": 2, "product_id": 8, "variant_id": 80, "quantity": 2, "price": "10.50"},
    ],
}
BOUGHT = [{"id": str(n), "quantity": 1, "variant": {"id": str(n * 10), "product": {"id": str(n)}}}
          for n in (7, 8)]  # fmt: skip
SHOPIFY: list[Case] = [
    ("shopify", pixel("product_viewed", {"productVariant": VARIANT}), VISIT),
    ("shopify", pixel("product_viewed", {"productVariant": VARIANT}, **KNOWN), VIEW),
    ("shopify", pixel("product_viewed", {"productVariant": VARIANT}, init={"data": KNOWN}), VIEW),
    ("shopify", pixel("product_added_to_cart", {"cartLine": {"merchandise": VARIANT}}, **KNOWN),
     CART),
    ("shopify", pixel("checkout_completed", {"checkout": {"order": {"id": "5001", **KNOWN},
                                                          "lineItems": BOUGHT}}), ORDER),
    ("shopify", PAID, ORDER),
    ("shopify", {**PAID, "cancelled_at": "2023-11-14T22:13:20Z"}, REFUND),
    ("shopify", {"detail-type": "shopifyWebhook", "detail": {"payload": PAID}}, ORDER),
    ("shopify", {"id": 6, "order_id": 5_001, "created_at": ISO, "customer": {"id": "u1"},
                 "refund_line_items": [{"line_item": {"product_id": n}, "quantity": 1}
                                       for n in (7, 8)]}, REFUND),
]  # fmt: skip

SITE = {"idsite": "1", "rec": "1", "uid": "u1", "_id": "0123456789abcdef", "cdt": "1700000000"}
VISITOR = {key: value for key, value in SITE.items() if key != "uid"} | {"_id": "anon-1"}
ROWS = json.dumps([["7", "Tent", "camping", 9.5, 1], ["8", "Stove", ["camping"], 10.5, 2]])
MATOMO: list[Case] = [
    ("matomo", {**SITE, "_pks": "7", "_pkn": "Tent", "_pkp": "9.5"}, VIEW),
    ("matomo", {**VISITOR, "_pks": "7"}, VISIT),
    ("matomo", {**SITE, "idgoal": "0", "revenue": "9.5", "ec_items": json.dumps([["7"]])}, CART),
    ("matomo", {**SITE, "idgoal": 0, "ec_id": "o1", "ec_items": json.loads(ROWS)}, ORDER),
    ("matomo", {"requests": ["?" + urlencode({**SITE, "_pks": "7"}),
                             {**SITE, "idgoal": "0", "ec_id": "o1", "ec_items": ROWS}],
                "token_auth": "x"}, VIEW + ORDER),
    ("matomo", ("?" + urlencode({**SITE, "_pks": "7"})).encode(), VIEW),
    ("matomo", [{"idVisit": "1", "visitorId": "anon-1", "userId": "u1", "actionDetails": [
        {"type": "action", "url": "https://example.com/", "timestamp": 1_700_000_000,
         "productViewSku": "7"},
        {"type": "ecommerceAbandonedCart", "timestamp": 1_700_000_000,
         "itemDetails": [{"itemSKU": "7", "quantity": 1}]},
        {"type": "ecommerceOrder", "timestamp": 1_700_000_000, "orderId": "o1",
         "itemDetails": [{"itemSKU": "7", "quantity": 1}, {"itemSKU": "8", "quantity": 2}]},
    ]}], VIEW + CART + ORDER),
]  # fmt: skip

GOLDEN = [*SEGMENT, *GA4, *SNOWPLOW, *CLOUDEVENTS, *SHOPIFY, *MATOMO]
IDS = [f"{form}-{number}" for number, (form, _, _) in enumerate(GOLDEN)]


@pytest.mark.parametrize(("form", "value", "expected"), GOLDEN, ids=IDS)
def test_a_payload_is_the_interactions_that_it_tells_of(
    form: str, value: Any, expected: list[Interaction]
) -> None:
    """On a topic of its format, and on one with format `auto`."""
    for name in (form, "auto"):
        found = said(value, name)
        assert (found.taken, found.codes, found.skipped) == (expected, [], [])


@pytest.mark.parametrize(("form", "value", "_expected"), GOLDEN, ids=IDS)
def test_a_payload_on_a_topic_of_another_format_is_refused_and_names_the_setting(
    form: str, value: Any, _expected: list[Interaction]
) -> None:
    """Flat or not; no part of it is counted, and none is skipped in silence."""
    for name in FORMAT_NAMES:
        if name in {form, "auto"}:
            continue
        for topic in ("clicks", "events"):
            found = said(value, name, topic=topic)
            assert (found.taken, found.skipped) == ([], [])
            assert set(found.codes) == {"other_format"}, (name, found.refusals)
            assert all("EVENT_FORMATS" in one.message for one in found.refusals)
            assert all(form in one.message for one in found.refusals)


def test_a_flat_event_on_a_topic_of_another_format_is_refused_likewise() -> None:
    """A tracker that was not moved over sends it."""
    flat = {"user_id": "u1", "item_id": "7", "type": "click", "ts": NOW}
    for name in FORMAT_NAMES:
        for value in (flat, FLAT_ORDER):
            codes = [] if name in {"flat", "auto"} else ["other_format"]
            assert said(value, name).codes == codes


@pytest.mark.parametrize(
    ("form", "value", "name"),
    [
        ("segment", segment("Product List Viewed", SEGMENT_ORDER), "Product List Viewed"),
        ("segment", {"type": "page", "anonymousId": "a", "messageId": "m"}, "page"),
        ("ga4", measured("page_view", {}), "page_view"),
        ("ga4", measured("view_item_list", {"items": GA4_ITEMS}), "view_item_list"),
        ("snowplow", {"event": "page_view", "event_name": "page_view", "collector_tstamp": ISO},
         "page_view"),
        ("cloudevents", cloud({}, type="com.example.audit"), "com.example.audit"),
        ("shopify", pixel("page_viewed", {}), "page_viewed"),
        ("shopify", {**PAID, "abandoned_checkout_url": "https://example.com"}, "checkout"),
        ("matomo", {**SITE, "action_name": "Home"}, "pageview"),
    ],
)  # fmt: skip
def test_what_is_no_interaction_is_skipped_and_counted_by_its_name(
    form: str, value: Any, name: str
) -> None:
    """Trackers send many other events, which are no dead letters."""
    found = said(value, form)
    assert (found.taken, found.codes, found.skipped) == ([], [], [name])


@pytest.mark.parametrize(
    ("value", "form", "at"),
    [
        (
            segment("Order Completed", deepcopy(SEGMENT_ORDER)),
            "segment",
            ["properties", "products"],
        ),
        (
            measured("purchase", {"items": deepcopy(GA4_ITEMS)}),
            "ga4",
            ["events", 0, "params", "items"],
        ),
        (exported("purchase", deepcopy(GA4_ITEMS)), "ga4", ["items"]),
        (enriched("transaction", deepcopy(PRODUCTS)), "snowplow", [f"contexts_{COLUMN}_product_1"]),
        (cloud(deepcopy(FLAT_ORDER)), "cloudevents", ["data", "items"]),
        (deepcopy(PAID), "shopify", ["line_items"]),
        (deepcopy(MATOMO[-1][1]), "matomo", [0, "actionDetails", 2, "itemDetails"]),
    ],
)
def test_a_bad_line_of_an_order_is_refused_alone_in_every_format(
    value: Any, form: str, at: list[str | int]
) -> None:
    """Byte for byte as the format has it."""
    lines = value
    for step in at:
        lines = lines[step]
    lines.insert(1, {"name": "no id", "n": 1})
    lines.insert(2, "x")
    found = said(value, form)
    assert [one for one in found.taken if one.type == "purchase"] == ORDER
    assert [(one.code, one.value) for one in found.refusals] == [
        ("missing_id", b'{"name": "no id", "n": 1}'), ("not_an_event", b'"x"'),
    ]  # fmt: skip


def test_lines_of_a_request_that_are_no_lines_are_refused_alone() -> None:
    """A row is an array that begins with the id of its item."""
    rows = [["7", "Tent"], [], "x", {"sku": "9"}, 3, None, ["8"]]
    for some in (rows, json.dumps(rows)):
        found = said({**SITE, "idgoal": 0, "ec_id": "o1", "ec_items": some}, "matomo")
        assert found.taken == ORDER
        assert found.codes
    nothing: list[Any] = ["[[", "", None, [], "{}", 7]
    for broken in nothing:
        found = said({**SITE, "idgoal": 0, "ec_id": "o1", "ec_items": broken}, "matomo")
        assert (found.taken, found.skipped) == ([], [])
        assert found.codes


@pytest.mark.parametrize("schema", [None, 3, "", "acme", f"iglu:{ECOMMERCE}", "iglu:", "a/b", []])
def test_an_entity_of_another_schema_is_no_product(schema: Any) -> None:
    """Also where its schema is no text, or is a text without a name."""
    value = tab_separated("transaction", PRODUCTS).decode().split("\t")
    contexts = json.loads(value[52])
    contexts["data"] = [{"schema": schema, "data": {"id": "9"}}, {"data": {}}, 5, *contexts["data"]]
    value[52] = json.dumps(contexts)
    found = said("\t".join(value).encode(), "snowplow")
    assert (found.taken, found.codes) == (ORDER, [])


@pytest.mark.parametrize("kind", [None, 3, "", "click", "Track", [], {}])
def test_a_call_without_an_event_is_one_of_the_known_calls(kind: Any) -> None:
    """Other events may have fields of the same names."""
    call = {"type": kind, "userId": "u1", "properties": {}}
    assert foreign_format(call) == ""
    assert foreign_format({"batch": [call]}) == ""
    for known in ("track", "page", "screen", "identify", "group", "alias"):
        assert foreign_format(call | {"type": known}) == "segment"
        assert foreign_format({"batch": [call | {"type": known}]}) == "segment"
    assert foreign_format(call | {"event": "x"}) == "segment"
    assert foreign_format({"type": "track"}) == ""


def test_bad_lines_without_bytes_of_their_own_are_one_dead_letter() -> None:
    """Entities of a tab-separated event are inside a text."""
    value = tab_separated("transaction", [*PRODUCTS, {}, {}])
    found = said(value, "snowplow")
    assert found.taken == ORDER
    assert [(one.code, one.value) for one in found.refusals] == [("missing_id", value)]


def test_one_bad_event_of_a_batch_is_refused_alone() -> None:
    """Also if it is not even JSON."""
    good = segment("Product Viewed", {"product_id": "7"})
    value = b'{"batch": [%b, {"a": NaN}, 3, %b]}' % (
        encoded(good),
        encoded({**good, "userId": 1.5}),
    )
    found = said(value, "segment")
    assert found.taken == VIEW
    assert [(one.code, one.value) for one in found.refusals] == [
        ("not_finite", b'{"a": NaN}'),
        ("not_an_event", b"3"),
        ("invalid_id", encoded({**good, "userId": 1.5})),
    ]


def test_integers_of_any_size_are_ids_in_every_format() -> None:
    """They are read again if the fast reader made floats of them."""
    value = encoded(
        segment("Order Completed", {"products": [{"product_id": 10**25}]}, userId=10**30)
    )
    assert said(value, "segment").taken == [Interaction(str(10**30), str(10**25), "purchase", NOW)]


def test_a_cloudevent_may_have_its_attributes_in_headers() -> None:
    """In binary mode the value is the data alone."""
    headers = {"ce_specversion": "1.0", "ce_type": "com.example.view", "ce_source": "/shop",
               "ce_id": "1", "ce_time": ISO}  # fmt: skip
    data = {"user_id": "u1", "item_id": 7}
    for form in ("cloudevents", "auto"):
        assert said(data, form, headers=headers).taken == VIEW
        assert said([data], form, headers=headers).taken == VIEW
        bad = said({**data, "item_id": []}, form, headers=headers)
        assert bad.codes == ["invalid_id"]


def test_an_alias_wins_over_the_name_that_a_format_has() -> None:
    """An explicit name of a type wins."""
    types = {"click": "click", "add_to_cart": "add_to_cart", "Product Added": "click"}
    found = said(segment("Product Added", {"product_id": "7"}), "segment", types=types)
    assert found.taken == VIEW


def test_types_without_a_weight_are_skipped() -> None:
    """An app that does not count refunds ignores a refund."""
    found = said(segment("Order Refunded", SEGMENT_ORDER), "segment", types={"click": "click"})
    assert (found.taken, found.skipped) == ([], ["Order Refunded"])


def test_flat_events_look_like_no_other_format() -> None:
    """With any other fields of a flat event."""
    busy = {"user_id": "u", "item_id": "a", "userId": "u", "event": "x", "properties": {},
            "specversion": "1", "type": "track", "requests": [], "batch": []}  # fmt: skip
    assert foreign_format(busy) == ""
    assert foreign_format({"user_id": "u", "type": "track"}) == ""
    assert foreign_format([busy]) == ""


def test_an_exported_order_may_have_its_id_among_the_parameters() -> None:
    """Where the column of it is not set."""
    params = [{"key": "transaction_id", "value": {"string_value": "o9"}}]
    baskets = Said()
    said(exported("purchase", GA4_ITEMS, event_params=params), "ga4",
         projections=[(PROJECTIONS[BOUGHT_TOGETHER], baskets)])  # fmt: skip
    assert [one.user for one in baskets.taken] == ["o:o9", "o:o9"]


def test_an_event_with_an_item_is_no_envelope_whatever_else_it_has() -> None:
    """Alike on a flat topic and where the envelope decides."""
    value = {"user_id": "u1", "item_id": 7, "type": "click", "ts": NOW, "events": [{}]}
    for form in ("flat", "auto"):
        assert said(value, form).taken == VIEW
