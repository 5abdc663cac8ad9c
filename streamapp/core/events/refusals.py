"""Refusals: the codes of what cannot be counted, and one refused record or element."""

from typing import NamedTuple

from streamapp.core.events.record import Record

CODES = {
    "null_value": "the record has no value",
    "too_large": "the value is larger than MAX_RECORD_BYTES",
    "schema_registry_frame": "the value is framed by a schema registry (first byte 0)",
    "not_utf8": "the value is not UTF-8",
    "not_json": "the value is not JSON",
    "not_finite": "a number is not finite (NaN or infinity)",
    "too_deep": "the value is nested too deeply",
    "not_an_event": "the value or an element is not a JSON object",
    "missing_id": "user_id, item_id or from is missing or empty",
    "invalid_id": "user_id, item_id, from or order_id is neither a string nor an integer",
    "id_too_long": "user_id, item_id, from or order_id has more than 512 bytes",
    "invalid_type": "type is not a string, or missing or empty where the topic implies none",
    "invalid_items": "items is not an array of products",
    "order_too_large": "an order names more than MAX_ORDER_ITEMS items; the first ones count",
    "other_format": "the event has another format than EVENT_FORMATS names for its topic",
    "invalid_ts": "ts is neither a number nor an ISO 8601 date",
    "ts_out_of_range": "ts lies before EARLIEST_TS or over MAX_AHEAD_S after its record",
    "key_mismatch": "the record's key is not its user_id",
}
"""Every code that a dead letter may carry, and what it means."""

EVENT, ENCLOSED, LINE, REST = "event", "enclosed", "line", "rest"
"""What a refused value is, if it is not the whole of what its record says.

`EVENT` is one event of several, which can be read alone. `ENCLOSED` is one event that is read with
the envelope around it, such as one without its user. `LINE` is one line of an order. `REST` also
holds parts that counted, or that are refused alone.
"""


class Refusal(NamedTuple):
    """A record, or one element of it, that cannot be counted.

    Attributes:
        record: The record.
        value: What cannot be counted, byte for byte.
        code: One of `CODES`.
        message: Why, for people.
        rest: Where `value` is the whole value because too many parts of it are refused to give
            each a letter of its own: how many parts have none. 0 otherwise.
        part: `EVENT`, `ENCLOSED`, `LINE` or `REST`; "" of a record that is refused as a whole.
    """

    record: Record
    value: bytes | None
    code: str
    message: str
    rest: int = 0
    part: str = ""
