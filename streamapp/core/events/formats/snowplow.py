"""Snowplow: enriched events, as tab-separated values or as JSON of the analytics SDKs.

Source: the description of the enriched event, and the e-commerce schemas.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from streamapp.core.events.formats.format import FlatEvent, Format, Json, first, inner

_COLUMNS = {
    3: "collector_tstamp",
    4: "dvce_created_tstamp",
    5: "event",
    12: "user_id",
    15: "domain_userid",
    17: "network_userid",
    52: "contexts",
    58: "unstruct_event",
    67: "ti_orderid",
    68: "ti_sku",
    124: "derived_tstamp",
    126: "event_name",
}
"""What is read of the tab-separated form, by column."""

_FEWEST_COLUMNS = 127
_ECOMMERCE = "com.snowplowanalytics.snowplow.ecommerce"
_ACTION = "snowplow_ecommerce_action"
_CARTS = ("add_to_cart", "remove_from_cart")


def _recognises(value: Json) -> bool:
    return "item_id" not in value and "event_name" in value and "collector_tstamp" in value


def _text(value: bytes) -> Json | None:
    columns = value.split(b"\t")
    if len(columns) < _FEWEST_COLUMNS:
        return None
    found: dict[str, Any] = {}
    for place, name in _COLUMNS.items():
        text = columns[place].decode(errors="replace")
        if text:
            found[name] = text
    for name in ("contexts", "unstruct_event"):
        if name in found:
            try:
                found[name] = orjson.loads(found[name])
            except orjson.JSONDecodeError:
                del found[name]
    return found


def _described(schema: Any) -> tuple[str, str]:
    """Return vendor and name of a schema, such as `iglu:com.acme/item/jsonschema/1-0-0`."""
    parts = schema.removeprefix("iglu:").split("/") if type(schema) is str else []
    return (parts[0], parts[1]) if len(parts) > 1 else ("", "")


def _action(event: Json) -> Json:
    """Return what an unstructured event says."""
    nested = inner(event, "unstruct_event", "data", "data") or inner(
        event, "unstruct_event", "data"
    )
    if nested:
        return nested
    for name, value in event.items():
        if name.startswith("unstruct_event_") and type(value) is dict:
            found: Json = value
            return found
    return {}


def _entities(event: Json, name: str) -> tuple[list[Any], tuple[str, ...]]:
    """Return the entities of the e-commerce schema of this name, and where they are."""
    column = f"contexts_{_ECOMMERCE.replace('.', '_')}_{name}_"
    for key, value in event.items():
        if key.startswith(column) and type(value) is list:
            return value, (key,)
    return list(_attached(event, name)), ()


def _attached(event: Json, name: str) -> Iterator[Any]:
    entities = inner(event, "contexts").get("data")
    for one in entities if type(entities) is list else ():
        if type(one) is dict and _described(one.get("schema")) == (_ECOMMERCE, name):
            yield one.get("data")


def _first_entity(event: Json, *names: str) -> Json:
    for name in names:
        for one in _entities(event, name)[0]:
            if type(one) is dict:
                return one
    return {}


def _flat(event: Json, _envelope: Json) -> FlatEvent:
    event_type = event.get("event_name") or event.get("event")
    order = _first_entity(event, "transaction", "refund")
    customer = _first_entity(event, "user")
    fields: dict[str, Any] = {
        "type": event_type,
        "user_id": first(event, "user_id") or first(customer, "id"),
        "anonymous_id": first(event, "domain_userid", "network_userid"),
        "ts": first(event, "derived_tstamp", "dvce_created_tstamp", "collector_tstamp"),
        "order_id": first(order, "transaction_id"),
    }
    if event_type == _ACTION:
        fields["type"] = _action(event).get("type")
        products, where = _entities(event, "product")
        fields["items"] = [
            {"item_id": one.get("id")} if type(one) is dict else one for one in products
        ]
        return FlatEvent(fields, where)
    if event_type in _CARTS:
        fields["item_id"] = _action(event).get("sku")
    elif event_type == "transaction_item":
        fields["item_id"], fields["order_id"] = event.get("ti_sku"), event.get("ti_orderid")
    elif event_type == "transaction":
        # Each of its items is an event of its own.
        fields["type"] = "transaction_total"
    return FlatEvent(fields)


SNOWPLOW = Format(
    name="snowplow",
    types={
        "product_view": "click",
        "list_click": "click",
        "add_to_cart": "add_to_cart",
        "remove_from_cart": "remove_from_cart",
        "transaction": "purchase",
        "transaction_item": "purchase",
        "refund": "refund",
    },
    arrays=(),
    recognises=_recognises,
    flat=_flat,
    text=_text,
)
"""The format `snowplow`."""
