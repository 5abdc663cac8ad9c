"""Matomo: requests of its Tracking HTTP API, alone or in bulk, and visits of its Live API.

Source: the references of the Tracking API and of the Live API.
"""

from typing import Any
from urllib.parse import parse_qsl

import orjson

from streamapp.core.events.formats.format import FlatEvent, Format, Json, first, lines


def _recognises(value: Json) -> bool:
    if "item_id" in value:
        return False
    if type(value.get("requests")) is list or type(value.get("actionDetails")) is list:
        return True
    return "idsite" in value and ("rec" in value or "action_name" in value or "idgoal" in value)


def _text(value: bytes) -> Json | None:
    query = value.decode(errors="replace")
    return _parameters(query) if "idsite=" in query and query[:1] not in "{[" else None


def _parameters(query: str) -> dict[str, Any]:
    return dict(parse_qsl(query.strip().rpartition("?")[2], keep_blank_values=True))


def _flat(event: Json, envelope: Json) -> FlatEvent:
    return _action(event, envelope) if "actionDetails" in envelope else _request(event)


def _request(event: Json) -> FlatEvent:
    viewed = first(event, "_pks")
    fields: dict[str, Any] = {
        "type": "pageview" if viewed is None else "product_view",
        "user_id": event.get("uid"),
        "anonymous_id": first(event, "_id", "cid"),
        "ts": event.get("cdt"),
    }
    goal = event.get("idgoal")
    if goal not in (0, "0"):
        fields["item_id"] = viewed
        return FlatEvent(fields)
    # Without the id of an order it is an update of the cart, which names all that is in it.
    fields["order_id"] = first(event, "ec_id")
    fields["type"] = "cart_update" if fields["order_id"] is None else "ecommerce_order"
    rows = event.get("ec_items")
    if type(rows) is str:
        try:
            rows = orjson.loads(rows)
        except orjson.JSONDecodeError:
            rows = []
    if type(rows) is list:
        rows = [{"item_id": row[0]} if type(row) is list and row else row for row in rows]
    fields["items"] = rows or []
    return FlatEvent(fields)


def _action(event: Json, visit: Json) -> FlatEvent:
    fields: dict[str, Any] = {
        "type": event.get("type"),
        "user_id": visit.get("userId"),
        "anonymous_id": visit.get("visitorId"),
        "ts": event.get("timestamp"),
        "order_id": first(event, "orderId"),
    }
    if fields["type"] == "action":
        viewed = first(event, "productViewSku")
        fields["type"] = "pageview" if viewed is None else "product_view"
        fields["item_id"] = viewed
        return FlatEvent(fields)
    fields["items"] = lines(event.get("itemDetails"), lambda line: line.get("itemSKU"))
    return FlatEvent(fields, ("itemDetails",))


MATOMO = Format(
    name="matomo",
    types={
        "product_view": "click",
        "cart_update": "add_to_cart",
        "ecommerce_order": "purchase",
        "ecommerceOrder": "purchase",
        "ecommerceAbandonedCart": "add_to_cart",
    },
    arrays=("requests", "actionDetails"),
    recognises=_recognises,
    flat=_flat,
    text=_text,
    query=_parameters,
)
"""The format `matomo`."""
