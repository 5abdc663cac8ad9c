"""Why a record, or one element of it, cannot be used: the codes of dead letters."""

import json
from typing import Any, NamedTuple, NoReturn, Protocol

import orjson

from streamapp.errors import BadEventError

MAX_ID_BYTES = 512

CODES = {
    "null_value": "the record has no value",
    "too_large": "the value is larger than MAX_RECORD_BYTES",
    "schema_registry_frame": "the value is framed by a schema registry (first byte 0)",
    "not_utf8": "the value is not UTF-8",
    "not_json": "the value is not JSON",
    "not_finite": "a number is not finite (NaN or infinity)",
    "too_deep": "the value is nested too deeply",
    "not_an_event": "the value or an element is not a JSON object",
    "missing_id": "user_id or item_id is missing or empty",
    "invalid_id": "user_id, item_id or order_id is neither a string nor an integer",
    "id_too_long": "user_id, item_id or order_id has more than 512 bytes",
    "invalid_type": "type is not a string, or missing or empty where the topic implies none",
    "invalid_ts": "ts is neither a number nor an ISO 8601 date",
    "ts_out_of_range": "ts lies before EARLIEST_TS or after now plus MAX_AHEAD_S",
    "key_mismatch": "the record's key is not its user_id",
}
"""Every code of a dead letter of events, and its meaning."""


class Record(Protocol):
    """A record as a Kafka client returns it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Refusal(NamedTuple):
    """A record, or one element of it, that cannot be used.

    Attributes:
        record: The record.
        value: The bytes of the record or the element.
        code: One of `CODES`, or of the codes of the catalogue.
        message: The reason, for people.
    """

    record: Record
    value: bytes | None
    code: str
    message: str


def checked_id(field: str, value: Any) -> str:
    """Return an id as text.

    Args:
        field: The name of the field, for the message.
        value: As it was read.

    Raises:
        BadEventError: the value is not an id.
    """
    if value is None or value == "":
        raise BadEventError("missing_id", f"{field} is missing or empty")
    if type(value) is int:
        return str(value)
    if type(value) is not str:
        raise BadEventError("invalid_id", f"{field} is neither a string nor an integer")
    if len(value.encode()) > MAX_ID_BYTES:
        raise BadEventError("id_too_long", f"{field} has more than {MAX_ID_BYTES} bytes")
    return value


def explain_json(value: bytes, error: orjson.JSONDecodeError) -> NoReturn:
    """Raise the error that says why a value is not JSON.

    Args:
        value: As it was received.
        error: Of orjson.

    Raises:
        BadEventError: always.
    """
    code = "not_json"
    if value[:1] == b"\0":
        code = "schema_registry_frame"
    elif "depth limit" in str(error):
        code = "too_deep"
    else:
        try:
            value.decode()
            json.loads(value, parse_constant=_not_finite, parse_float=_finite)
        except UnicodeDecodeError:
            code = "not_utf8"
        except BadEventError as refusal:
            raise refusal from None
        except (ValueError, RecursionError):
            code = "not_json"
    detail = f": {error}" if code == "not_json" else ""
    raise BadEventError(code, CODES[code] + detail) from None


def _not_finite(name: str) -> NoReturn:
    raise BadEventError("not_finite", f"a number is {name}")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        _not_finite("infinity")
    return number
