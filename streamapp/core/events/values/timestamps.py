"""Reads event times: numbers, texts of digits and ISO 8601, by one rule for every way in.

A number says its unit by its size. Up to 1e11 it counts seconds, up to 1e14 milliseconds, up to
1e17 microseconds, and below 1e20 nanoseconds. As seconds, 1e11 lies beyond the year 5138.
"""

import math
from datetime import UTC, datetime
from typing import Any

from streamapp.errors import BadEventError

SECONDS_UP_TO = 1e11
"""Largest number that counts seconds."""

INVALID_TS = "ts is neither a number nor an ISO 8601 date"

_MILLISECONDS_UP_TO = 1e14
_UNITS = ((10**11, 1), (10**14, 10**3), (10**17, 10**6), (10**20 - 1, 10**9))
"""Bound of a size, and how many units of that size make a second."""

_UTC = " UTC"


def scaled(number: float) -> float:
    """Return seconds, given a time in seconds to nanoseconds.

    A size of 1e20 or more is no time: it becomes an infinity of the same sign. The quotient of two
    integers is exact to the last bit, also over 2^53.
    """
    if SECONDS_UP_TO < number <= _MILLISECONDS_UP_TO:
        return number / 1000
    for bound, units in _UNITS:
        if abs(number) <= bound:
            return number / units
    return math.inf if number > 0 else -math.inf


def newest_allowed(record_ms: int, max_ahead_s: float) -> float:
    """Return the newest time in seconds that an event of a record may have.

    Args:
        record_ms: The time of the record in milliseconds; negative if it has none. Then nothing
            bounds the times of its events, so none is allowed: the result is minus infinity.
        max_ahead_s: How many seconds an event may be ahead of its record.
    """
    return record_ms / 1000 + max_ahead_s if record_ms >= 0 else -math.inf


def parse_timestamp(value: Any) -> float | None:
    """Return a time in seconds; None if it is left out: None, or a text of spaces.

    Args:
        value: A number, a text that holds one, or an ISO 8601 date with or without a zone, perhaps
            with ` UTC` behind it. A date without a zone is UTC.

    Raises:
        BadEventError: `value` is no time; the code is `invalid_ts`.
    """
    if type(value) is not str:
        if type(value) is int or type(value) is float:
            return scaled(value)
        if value is None:
            return None
        raise BadEventError("invalid_ts", INVALID_TS)
    text = value.strip()
    if not text:
        return None
    # A dash marks a date. Testing for it is cheap; a failed conversion to a number is not.
    number = None if text[4:5] == "-" else _number(text)
    if number is None:
        return _moment(text)
    if not math.isfinite(number):
        raise BadEventError("invalid_ts", "ts is not finite")
    return scaled(number)


def _number(text: str) -> float | None:
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return None


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(
            text.removesuffix(_UTC).rstrip() if text.endswith(_UTC) else text
        )
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise BadEventError("invalid_ts", INVALID_TS) from None
