"""Reads records of the catalogue: each describes or deletes an item, or is refused with a code.

The key of a record is the item's id. The value is one JSON object, or null for a deleted item.
Whatever the bytes are, reading raises only `BadEventError`.
"""

from typing import Any, NamedTuple

import msgspec
import orjson

from streamapp.core.events.fallback_json import read_apart, read_exactly
from streamapp.core.events.record import Record
from streamapp.core.events.refusals import CODES, Refusal
from streamapp.core.events.values.ids import checked_id
from streamapp.errors import BadEventError

CATALOGUE_CODES = {
    "invalid_available": "available is neither true nor false",
    "invalid_text": "title or category is not a string",
}
"""The codes of a dead letter of the catalogue, beside those of events, and their meaning."""

MAX_TEXT = 500
"""Most characters of a title or a category; the rest is cut off."""


class Product(msgspec.Struct, array_like=True, frozen=True):
    """The stored part of an item's catalogue entry.

    Attributes:
        available: Whether lists may show the item.
        title: For people; "" without one.
        category: The category in whose list of trending items it may be; "" for none.
    """

    available: bool
    title: str
    category: str


class Entry(NamedTuple):
    """The content of one record.

    Attributes:
        offset: Of the record.
        item: The item's id.
        product: The entry of the item; None for a deleted item.
    """

    offset: int
    item: str
    product: Product | None


encode_product = msgspec.msgpack.Encoder().encode
"""Return a product as it is stored, in bytes."""

decode_product = msgspec.msgpack.Decoder(Product).decode
"""Return a stored product; raises `msgspec.DecodeError` if there is none."""


def read_entry(record: Record, max_record_bytes: int) -> Entry | Refusal:
    """Return the content of a record, or the reason why it cannot be used."""
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
    except orjson.JSONDecodeError:
        value = read_apart(record.value, ())
    if type(value) is not dict:
        raise BadEventError("not_an_event", CODES["not_an_event"])
    if type(value.get("item_id")) is float:
        # The fast reader returns a float for an integer of 2^64 or more.
        value = read_exactly(record.value)
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
