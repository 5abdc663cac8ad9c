"""Reads ids: strings as they are, and integers of any size as their decimal strings."""

from typing import Any

from streamapp.core.events.fallback_json import BrokenText
from streamapp.errors import BadEventError

MAX_ID_BYTES = 512
"""Longest id in bytes of UTF-8."""


def checked_id(field: str, value: Any) -> str:
    """Return an id as text.

    Raises:
        BadEventError: `value` is no id; the message names `field`.
    """
    if value is None or value == "":
        raise BadEventError("missing_id", f"{field} is missing or empty")
    if type(value) is int:
        value = str(value)
    if type(value) is not str:
        if type(value) is BrokenText:
            raise BadEventError("not_json", f"{field} holds half of a surrogate pair")
        raise BadEventError("invalid_id", f"{field} is neither a string nor an integer")
    if len(value.encode()) > MAX_ID_BYTES:
        raise BadEventError("id_too_long", f"{field} has more than {MAX_ID_BYTES} bytes")
    return value
