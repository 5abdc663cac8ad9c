"""Shopify: events of web pixels, and orders and refunds as its webhooks send them.

An item is a product, not one of its variants. An id such as `gid://shopify/Product/7` is `7`, so
that pixels and webhooks name the same items, orders and customers.
Source: the references of the Web Pixels API and of the webhook topics.
"""

from typing import Any

from streamapp.core.events.formats.format import FlatEvent, Format, Json, first, inner, lines

_GID = "gid://"
_ORDER, _REFUND = "line_items", "refund_line_items"


def _recognises(value: Json) -> bool:
    if "item_id" in value:
        return False
    value = inner(value, "detail", "payload") or value
    if type(value.get(_ORDER)) is list or type(value.get(_REFUND)) is list:
        return True
    return "clientId" in value and "name" in value and type(value.get("data")) is dict


def _short(value: Any) -> Any:
    if type(value) is not str or not value.startswith(_GID):
        return value
    return value.split("/", 4)[-1].partition("?")[0]


def _flat(event: Json, _envelope: Json) -> FlatEvent:
    payload = inner(event, "detail", "payload")
    if payload:
        found = _flat(payload, payload)
        return FlatEvent(found.fields, ("detail", "payload", *found.lines_at))
    if type(event.get(_REFUND)) is list:
        return _refund(event)
    if type(event.get(_ORDER)) is list:
        return _order(event)
    return _pixel(event)


def _order(order: Json) -> FlatEvent:
    event_type, ts = "purchase", first(order, "processed_at", "created_at")
    if order.get("cancelled_at"):
        event_type, ts = "refund", order["cancelled_at"]
    elif "abandoned_checkout_url" in order:
        event_type = "checkout"
    fields = {
        "type": event_type,
        "user_id": _short(inner(order, "customer").get("id")),
        "ts": ts,
        "order_id": _short(order.get("id")),
        "items": lines(order[_ORDER], lambda line: _short(line.get("product_id"))),
    }
    return FlatEvent(fields, (_ORDER,))


def _refund(refund: Json) -> FlatEvent:
    fields = {
        "type": "refund",
        "user_id": _short(inner(refund, "customer").get("id")),
        "ts": first(refund, "processed_at", "created_at"),
        "order_id": _short(refund.get("order_id")),
        "items": lines(
            refund[_REFUND], lambda line: _short(inner(line, "line_item").get("product_id"))
        ),
    }
    return FlatEvent(fields, (_REFUND,))


def _pixel(event: Json) -> FlatEvent:
    data = inner(event, "data")
    checkout = inner(data, "checkout")
    order = inner(checkout, "order")
    customer = (
        inner(order, "customer")
        or inner(event, "customer")
        or inner(event, "init", "data", "customer")
    )
    fields: dict[str, Any] = {
        "type": event.get("name"),
        "user_id": _short(customer.get("id")),
        "anonymous_id": event.get("clientId"),
        "ts": event.get("timestamp"),
        "order_id": _short(order.get("id")),
    }
    products = lines(
        checkout.get("lineItems"), lambda line: _short(inner(line, "variant", "product").get("id"))
    )
    if products is not None:
        fields["items"] = products
        return FlatEvent(fields, ("data", "checkout", "lineItems"))
    variant = inner(data, "productVariant") or inner(data, "cartLine", "merchandise")
    fields["item_id"] = _short(inner(variant, "product").get("id"))
    return FlatEvent(fields)


SHOPIFY = Format(
    name="shopify",
    types={
        "purchase": "purchase",
        "refund": "refund",
        "product_viewed": "click",
        "product_added_to_cart": "add_to_cart",
        "product_removed_from_cart": "remove_from_cart",
        "checkout_completed": "purchase",
    },
    arrays=(),
    recognises=_recognises,
    flat=_flat,
)
"""The format `shopify`."""
