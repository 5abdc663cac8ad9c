"""Reads event records: each element is an interaction, or is refused with a code.

The value of a record is one JSON object, an array of objects, or `{"events": [...]}`. A bad element
of an array is refused alone. Whatever the bytes are, reading raises only `BadEventError`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias

import msgspec
import orjson

from streamapp.core.events.refusal import CODES, Record, Refusal, checked_id, explain_json
from streamapp.errors import BadEventError

PURCHASE = "purchase"
"""The event type of a purchase."""

MILLISECONDS_FROM = 1e11
"""A numeric time over this is in milliseconds; in seconds it would be after the year 5138."""


@dataclass(frozen=True, slots=True)
class EventRules:
    """How events are read; each field changes results.

    Attributes:
        types: Canonical type by every name of a type, its own name included.
        implied: Canonical type by topic, for events without `type`.
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
    """Receives the events of one source."""

    def add(self, offset: int, user: str, item: str, event_type: str, ts: float) -> None:
        """Receive an interaction; `event_type` is canonical, `ts` is in seconds."""

    def skip(self, offset: int, user: str, event_type: str) -> None:
        """Receive an event of an unknown type."""


Project: TypeAlias = Callable[[Mapping[str, Any], str, str, str], tuple[str, str] | None]
"""Takes the element, its user, its item and its canonical type. Returns the user and the item of a
projection, or None if the projection has no such event. Raises `BadEventError` to refuse it."""


class EventReader:
    """Reads the records of one topic.

    Args:
        rules: How events are read.
        topic: The topic.
    """

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
        """Give the events of the records to `sink`, in order; return the refused ones.

        Args:
            records: Records of one partition.
            latest_ts: Newest event time that is allowed, in seconds.
            sink: Receives interactions and events of unknown types.
            projections: Further projections of interactions, each with its own sink.
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
            for index, element in enumerate(elements):
                try:
                    take(element, record, latest_ts, sink, projections)
                except BadEventError as error:
                    raw = raw or raw_elements(record.value or b"", len(elements))
                    refusals.append(Refusal(record, raw[index], error.code, str(error)))
        return refusals

    def _elements(self, value: bytes | None) -> Sequence[Any]:
        """Return the elements of a record's value, not yet checked."""
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
        """Give one element of a record to `sink`, and its projections to their sinks.

        Args:
            element: Decoded JSON.
            record: The record of the element.
            latest_ts: Newest event time that is allowed, in seconds.
            sink: Receives the element.
            projections: Further projections, each with its own sink.

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
        event_type = self._types.get(name)
        if event_type is None:
            # The fields that such an event should have are unknown, so none is checked.
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
            # First, because each may refuse the event.
            for own, pair in _projected(projections, element, user, item, event_type):
                own.add(record.offset, *pair, event_type, ts)
        sink.add(record.offset, user, item, event_type, ts)


def _projected(
    projections: Sequence[tuple[Project, Sink]],
    element: Mapping[str, Any],
    user: str,
    item: str,
    event_type: str,
) -> list[tuple[Sink, tuple[str, str]]]:
    """Return the user and the item in each projection that has an element, with its sink."""
    made = [(own, project(element, user, item, event_type)) for project, own in projections]
    return [(own, pair) for own, pair in made if pair is not None]


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


def raw_elements(value: bytes, count: int) -> list[bytes]:
    """Return the bytes of each of the `count` elements of a value that is valid JSON.

    A value that is nested almost too deeply cannot be cut apart; then each is the whole value.
    """
    array = value
    try:
        if value.lstrip()[:1] == b"{":
            envelope = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
            array = bytes(envelope.get("events", b""))
            if array[:1] != b"[" or "item_id" in envelope:
                return [value]
        return [bytes(raw) for raw in msgspec.json.decode(array, type=list[msgspec.Raw])]
    except RecursionError:
        return [value] * count
