"""Reads records of the catalogue: what a shop says of an item, or why it cannot be used.

A record's key is the item's id; its value is one JSON object, or null where the item was deleted.
Whatever the bytes, reading raises nothing but `BadEventError`.
"""

from typing import Any, NamedTuple

import msgspec
import orjson

from streamapp.core.events.event import CODES, Record, Refusal, checked_id, explain_json
from streamapp.errors import BadEventError

CATALOGUE_CODES = {
    "invalid_available": "available is neither true nor false",
    "invalid_text": "title or category is not a string",
}
"""Codes that a dead letter of the catalogue may carry beside those of events."""

MAX_TEXT = 500
"""Characters that are kept of a title or a category."""


class Product(msgspec.Struct, array_like=True, frozen=True):
    """What is kept of an item that the catalogue has.

    Attributes:
        available: Whether lists may show it.
        title: For people; "" where none is given.
        category: Among what it is listed where that is popular; "" for nothing.
    """

    available: bool
    title: str
    category: str


class Entry(NamedTuple):
    """What one record says.

    Attributes:
        offset: Of the record.
        item: Which item.
        product: What is said of it; None where it was deleted.
    """

    offset: int
    item: str
    product: Product | None


encode_product = msgspec.msgpack.Encoder().encode
"""Return a product as it is stored."""

decode_product = msgspec.msgpack.Decoder(Product).decode
"""Return the product that was stored; raises `msgspec.DecodeError` where it is none."""


def read_entry(record: Record, max_record_bytes: int) -> Entry | Refusal:
    """Return what a record says, or why it cannot be used."""
    try:
        return _entry(record, max_record_bytes)
    except BadEventError as error:
        return Refusal(record, record.value, error.code, str(error))


def _entry(record: Record, max_record_bytes: int) -> Entry:
    try:
        item = checked_id("the key", (record.key or b"").decode())
    except UnicodeDecodeError:
        raise BadEventError("not_utf8", "the key is not UTF-8") from None
    if record.value is None:
        return Entry(record.offset, item, None)
    if len(record.value) > max_record_bytes:
        raise BadEventError("too_large", f"the value has {len(record.value)} bytes")
    try:
        value = orjson.loads(record.value)
    except orjson.JSONDecodeError as error:
        explain_json(record.value, error)
    if type(value) is not dict:
        raise BadEventError("not_an_event", CODES["not_an_event"])
    if checked_id("item_id", value.get("item_id")) != item:
        raise BadEventError("key_mismatch", "the record's key is not its item_id")
    available = value.get("available", True)
    if type(available) is not bool:
        raise BadEventError("invalid_available", CATALOGUE_CODES["invalid_available"])
    return Entry(
        record.offset, item, Product(available, _text(value, "title"), _text(value, "category"))
    )


def _text(value: dict[str, Any], name: str) -> str:
    text = value.get(name)
    if text is not None and type(text) is not str:
        raise BadEventError("invalid_text", f"{name} is not a string")
    return (text or "")[:MAX_TEXT]
