"""Reads event records: what each one says, or why it cannot be counted.

A record's value is one JSON object, an array of them, or `{"events": [...]}`. One bad element of an
array is refused alone. Whatever the bytes, reading raises nothing but `BadEventError`.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, NoReturn, Protocol, TypeAlias

import orjson

from streamapp.core.events.elements import raw_elements
from streamapp.errors import BadEventError

MAX_ID_BYTES = 512
PURCHASE = "purchase"
"""The type of an event that buys an item."""

MILLISECONDS_FROM = 1e11
"""A numeric time over this is in milliseconds; as seconds it would lie beyond the year 5138."""

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
"""Every code that a dead letter may carry, and what it means."""


class Record(Protocol):
    """A record as a Kafka client hands it over."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class EventRules:
    """How events are read; each field changes results.

    Attributes:
        types: Canonical type by every name that a type goes by, its own included.
        implied: Canonical type by topic, for events that leave `type` out.
        earliest_ts: Oldest event time in seconds.
        max_ahead_s: How far an event time may lie after now.
        max_record_bytes: Largest value.
        check_keys: Whether a record's key must be its user id.
    """

    types: Mapping[str, str]
    implied: Mapping[str, str]
    earliest_ts: float
    max_ahead_s: float
    max_record_bytes: int
    check_keys: bool


class Sink(Protocol):
    """Takes what was read."""

    def add(self, offset: int, user: str, item: str, kind: str, ts: float) -> None:
        """Take an interaction; `kind` is its canonical type."""

    def skip(self, offset: int, user: str, kind: str) -> None:
        """Take an event of a type that nobody knows."""


Project: TypeAlias = Callable[[Mapping[str, Any], str, str, str], tuple[str, str] | None]
"""Given the element, its user, its item and its canonical type: the user and the item of another
projection, or None where that leaves the event out; raises `BadEventError` to refuse it."""


class Refusal(NamedTuple):
    """A record, or one element of it, that cannot be counted.

    Attributes:
        record: The record.
        value: What cannot be counted, byte for byte.
        code: One of `CODES`.
        message: Why, for people.
    """

    record: Record
    value: bytes | None
    code: str
    message: str


class EventReader:
    """Reads the records of one topic."""

    def __init__(self, rules: EventRules, topic: str) -> None:
        self._rules = rules
        self._types = dict(rules.types)
        self._implied = rules.implied.get(topic, "")

    def read(
        self,
        records: Iterable[Record],
        latest_ts: float,
        sink: Sink,
        projections: Sequence[tuple[Project, Sink]] = (),
    ) -> list[Refusal]:
        """Give what the records say to `sink`, in order; return what is refused.

        Args:
            records: Records of one partition.
            latest_ts: Newest event time allowed, in seconds.
            sink: Takes interactions and unknown types.
            projections: What else is counted of interactions, and who takes it.
        """
        refusals: list[Refusal] = []
        take = self.take
        for record in records:
            try:
                elements = self._elements(record.value)
            except BadEventError as error:
                refusals.append(Refusal(record, record.value, error.code, str(error)))
                continue
            raw: list[bytes] = []
            for place, element in enumerate(elements):
                try:
                    take(element, record, latest_ts, sink, projections)
                except BadEventError as error:
                    raw = raw or raw_elements(record.value or b"", len(elements))
                    refusals.append(Refusal(record, raw[place], error.code, str(error)))
        return refusals

    def _elements(self, value: bytes | None) -> Sequence[Any]:
        """Return the elements of a record's value, not yet looked at."""
        if value is None:
            raise BadEventError("null_value", CODES["null_value"])
        if len(value) > self._rules.max_record_bytes:
            raise BadEventError("too_large", f"the value has {len(value)} bytes")
        try:
            decoded = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            explain_json(value, error)
        if type(decoded) is dict:
            if "events" in decoded and "item_id" not in decoded:
                events = decoded["events"]
                if type(events) is list:
                    return events
            return (decoded,)
        if type(decoded) is list:
            return decoded
        raise BadEventError("not_an_event", CODES["not_an_event"])

    def take(
        self,
        element: Any,
        record: Record,
        latest_ts: float,
        sink: Sink,
        projections: Sequence[tuple[Project, Sink]] = (),
    ) -> None:
        """Give what one element of a record says to `sink`, and what projections make of it.

        Raises:
            BadEventError: the element cannot be counted.
        """
        if type(element) is not dict:
            raise BadEventError("not_an_event", CODES["not_an_event"])
        get, rules = element.get, self._rules
        user, item, name, ts = get("user_id"), get("item_id"), get("type"), get("ts")
        if name is None:
            name = self._implied
        if type(name) is not str or not name:
            raise BadEventError("invalid_type", CODES["invalid_type"])
        kind = self._types.get(name)
        if kind is None:
            # What an event of such a type should have, nobody knows.
            sink.skip(record.offset, user if type(user) is str else "", name)
            return
        if type(user) is not str or not user or len(user) > 128:
            user = checked_id("user_id", user)
        if type(item) is not str or not item or len(item) > 128:
            item = checked_id("item_id", item)
        if type(ts) is not float:
            ts = _seconds(ts, record)
        if ts > MILLISECONDS_FROM:
            ts /= 1000.0
        if not rules.earliest_ts <= ts <= latest_ts:
            raise BadEventError("ts_out_of_range", f"ts is {ts:.3f} seconds")
        if rules.check_keys and record.key != user.encode():
            raise BadEventError("key_mismatch", CODES["key_mismatch"])
        if projections:
            # First, for each may refuse the event.
            for own, pair in _projected(projections, element, user, item, kind):
                own.add(record.offset, *pair, kind, ts)
        sink.add(record.offset, user, item, kind, ts)


def _projected(
    projections: Sequence[tuple[Project, Sink]],
    element: Mapping[str, Any],
    user: str,
    item: str,
    kind: str,
) -> list[tuple[Sink, tuple[str, str]]]:
    """Return the user and the item in each projection that takes an element, and who gets them."""
    made = [(own, project(element, user, item, kind)) for project, own in projections]
    return [(own, pair) for own, pair in made if pair is not None]


def checked_id(field: str, value: Any) -> str:
    """Return an id as text.

    Raises:
        BadEventError: it is none.
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


def _seconds(ts: Any, record: Record) -> float:
    if ts is None:
        return record.timestamp / 1000.0
    if type(ts) is int:
        return float(ts)
    if type(ts) is str:
        try:
            moment = datetime.fromisoformat(ts)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            raise BadEventError("invalid_ts", CODES["invalid_ts"]) from None
    raise BadEventError("invalid_ts", CODES["invalid_ts"])


def explain_json(value: bytes, error: orjson.JSONDecodeError) -> NoReturn:
    """Say why orjson refused a value.

    Raises:
        BadEventError: in any case.
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
