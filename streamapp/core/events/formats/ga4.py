"""GA4: the Measurement Protocol, rows of the BigQuery export, and pushes to the data layer.

Source: the references of the Measurement Protocol, of its e-commerce events and of the export.
"""

from typing import Any

from streamapp.core.events.formats.format import (
    NO_FIELDS,
    FlatEvent,
    Format,
    Json,
    first,
    inner,
    lines,
)

_NOT_SET = "(not set)"
_DEVICES = ("client_id", "app_instance_id", "user_pseudo_id")


def _recognises(value: Json) -> bool:
    if "item_id" in value:
        return False
    events = value.get("events")
    if type(events) is list:
        one = events[0] if events and type(events[0]) is dict else NO_FIELDS
        return any(name in value for name in _DEVICES) or ("name" in one and "item_id" not in one)
    if "event_name" in value:
        return "event_timestamp" in value
    return "event" in value and type(value.get("ecommerce")) is dict


def _set(value: Any) -> Any:
    """Return a value; None if the export says that it is not set."""
    return None if value == _NOT_SET else value


def _item(item: Json) -> Any:
    return _set(item.get("item_id"))


def _flat(event: Json, envelope: Json) -> FlatEvent:
    where: tuple[str, ...] = ("items",)
    if "name" in event and "event_name" not in event:
        where = ("params", "items")
        params = inner(event, "params")
        items, order = params.get("items"), params.get("transaction_id")
    else:
        ecommerce = inner(event, "ecommerce")
        items = event.get("items")
        if type(ecommerce.get("items")) is list:
            where, items = ("ecommerce", "items"), ecommerce["items"]
        order = _set(ecommerce.get("transaction_id"))
        if order is None or order == "":
            order = _parameter(event, "transaction_id")
    fields: dict[str, Any] = {
        "type": first(event, "name", "event_name", "event"),
        "user_id": first(event, "user_id") or first(envelope, "user_id"),
        "anonymous_id": first(event, *_DEVICES) or first(envelope, *_DEVICES),
        "ts": first(event, "timestamp_micros", "event_timestamp")
        or first(envelope, "timestamp_micros"),
        "order_id": order,
    }
    found = lines(items, _item)
    if found is not None:
        fields["items"] = found
    return FlatEvent(fields, where)


def _parameter(event: Json, name: str) -> Any:
    """Return a parameter of an exported row."""
    params = event.get("event_params")
    for one in params if type(params) is list else ():
        if type(one) is dict and one.get("key") == name:
            return _set(first(inner(one, "value"), "string_value", "int_value"))
    return None


GA4 = Format(
    name="ga4",
    types={
        "view_item": "click",
        "select_item": "click",
        "add_to_cart": "add_to_cart",
        "remove_from_cart": "remove_from_cart",
        "purchase": "purchase",
        "ecommerce_purchase": "purchase",
        "refund": "refund",
    },
    arrays=("events",),
    recognises=_recognises,
    flat=_flat,
)
"""The format `ga4`."""
