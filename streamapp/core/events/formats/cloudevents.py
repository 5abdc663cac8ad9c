"""CloudEvents 1.0: flat events in an envelope, as one JSON object or as headers beside the value.

Source: the specification, its JSON format and its binding to Kafka.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from streamapp.core.events.formats.format import NO_FIELDS, FlatEvent, Format, Json

_PREFIX = "ce_"


def _recognises(value: Json) -> bool:
    return "specversion" in value and "type" in value and "item_id" not in value


def envelope_of(headers: Iterable[tuple[str, bytes]]) -> Mapping[str, str]:
    """Return the attributes in headers; none if the headers are not those of a CloudEvent."""
    found = {
        name.removeprefix(_PREFIX): value.decode(errors="replace")
        for name, value in headers
        if name.startswith(_PREFIX) and value is not None
    }
    return found if "specversion" in found else {}


def _flat(event: Json, envelope: Json) -> FlatEvent:
    where: tuple[str, ...] = ("items",)
    data: Json = event
    if event is envelope:
        where = ("data", "items") if "data" in event else ()
        inside = event["data"] if where else _decoded(event.get("data_base64"))
        data = inside if type(inside) is dict else NO_FIELDS
    fields = dict(data)
    if fields.get("type") is None or fields.get("type") == "":
        fields["type"] = envelope.get("type")
    if fields.get("ts") is None or fields.get("ts") == "":
        fields["ts"] = envelope.get("time")
    return FlatEvent(fields, where)


def _decoded(text: Any) -> Any:
    try:
        return orjson.loads(base64.b64decode(text)) if type(text) is str else None
    except (binascii.Error, ValueError):
        return None


CLOUDEVENTS = Format(
    name="cloudevents",
    types={},
    arrays=("data",),
    recognises=_recognises,
    flat=_flat,
    last_word=True,
)
"""The format `cloudevents`."""
