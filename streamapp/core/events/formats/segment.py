"""Segment: calls of its tracking API, which RudderStack sends alike and PostHog nearly so.

Source: the common fields and the e-commerce specification (version 2, and the names of version 1).
"""

from typing import Any

from streamapp.core.events.formats.format import FlatEvent, Format, Json, first, inner, lines
from streamapp.core.histories.event_types import MERGE

_CALLS = {"track", "page", "screen", "identify", "group", "alias"}
_OWN = {"properties", "userId", "anonymousId", "distinct_id", "messageId", "traits"}


def _recognises(value: Json) -> bool:
    batch = value.get("batch")
    if type(batch) is list:
        return not batch or (type(batch[0]) is dict and _is_call(batch[0]))
    return _is_call(value)


def _is_call(value: Json) -> bool:
    if _OWN.isdisjoint(value) or "item_id" in value:
        return False
    call = value.get("type")
    return type(value.get("event")) is str or (type(call) is str and call in _CALLS)


def _item(product: Json) -> Any:
    return first(product, "product_id", "sku")


def _flat(event: Json, _envelope: Json) -> FlatEvent:
    get = event.get
    properties = inner(event, "properties")
    fields: dict[str, Any] = {
        "type": get("event") or get("type"),
        "user_id": get("userId"),
        "ts": get("timestamp") or first(event, "originalTimestamp", "receivedAt"),
        "order_id": properties.get("order_id"),
    }
    if get("type") == "alias" and get("previousId"):
        return FlatEvent({**fields, "type": MERGE, "from": get("previousId")})
    if fields["user_id"] is None or fields["user_id"] == "":
        # PostHog has one id for both.
        anonymous = first(event, "anonymousId", "distinct_id")
        fields["anonymous_id"] = (
            first(properties, "distinct_id") if anonymous is None else anonymous
        )
    products = lines(properties.get("products"), _item)
    if products:
        fields["items"] = products
        return FlatEvent(fields, ("properties", "products"))
    fields["item_id"] = _item(properties)
    return FlatEvent(fields)


SEGMENT = Format(
    name="segment",
    types={
        "Product Viewed": "click",
        "Product Clicked": "click",
        "Product Added": "add_to_cart",
        "Product Removed": "remove_from_cart",
        "Order Completed": "purchase",
        "Order Refunded": "refund",
        "Order Cancelled": "refund",
        "Viewed Product": "click",
        "Added Product": "add_to_cart",
        "Removed Product": "remove_from_cart",
        "Completed Order": "purchase",
    },
    arrays=("batch",),
    recognises=_recognises,
    flat=_flat,
    stands_alone=True,
)
"""The format `segment`."""
