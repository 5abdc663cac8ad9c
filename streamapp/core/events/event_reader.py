"""Reads event records: each becomes interactions or is refused with a code.

A record's value is one JSON object, an array of objects, `{"events": [...]}`, or the form of
another format. One bad element of an array is refused alone. Reading raises only `BadEventError`,
whatever the bytes are.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from streamapp.core.events.element_reader import ElementReader
from streamapp.core.events.fallback_json import read_apart, read_exactly
from streamapp.core.events.formats.cloudevents import CLOUDEVENTS, envelope_of
from streamapp.core.events.formats.known_formats import (
    ARRAYS,
    AUTO,
    FLAT,
    FORMATS,
    foreign_format,
    foreign_text,
    other_format,
)
from streamapp.core.events.formats.translate import Translation, translate, translate_text
from streamapp.core.events.interaction_sink import InteractionSink
from streamapp.core.events.orders import PartlyRefusedError
from streamapp.core.events.projection import Projection
from streamapp.core.events.record import Record
from streamapp.core.events.record_refusals import RecordRefusals
from streamapp.core.events.refusals import CODES, Refusal
from streamapp.core.events.rules import EventRules
from streamapp.core.events.values.timestamps import newest_allowed
from streamapp.errors import BadEventError

_LINES = ("items",)


class EventReader:
    """Reads the records of one topic.

    Args:
        rules: How events are read.
        topic: The topic; it may imply a type and a format.
    """

    def __init__(self, rules: EventRules, topic: str) -> None:
        self._max_record_bytes = rules.max_record_bytes
        self._max_ahead_s = rules.max_ahead_s
        self._format = rules.formats.get(topic, FLAT.name)
        names = FORMATS if self._format == AUTO else {FLAT.name, self._format}
        self._readers = {name: ElementReader(rules, topic, FORMATS[name]) for name in names}
        self.take = self._readers[FLAT.name].take

    def read(
        self,
        records: Iterable[Record],
        sink: InteractionSink,
        projections: Sequence[tuple[Projection, InteractionSink]] = (),
    ) -> list[Refusal]:
        """Give the interactions of records to `sink`, in order; return what is refused.

        The time of a record bounds the times of its events, so the outcome is the same whenever the
        record is read.

        Args:
            records: Records of one partition.
            sink: Takes interactions and unknown types; in the app an `InteractionBatchBuilder`.
            projections: The projections of each further kind, and the sinks that take them.
        """
        refusals: list[Refusal] = []
        read = self._read_flat if self._format == FLAT.name else self._read_translated
        for record in records:
            try:
                latest_ts = newest_allowed(record.timestamp, self._max_ahead_s)
                refusals += read(record, latest_ts, sink, projections)
            except BadEventError as error:
                refusals.append(Refusal(record, record.value, error.code, str(error)))
        return refusals

    def _read_flat(
        self,
        record: Record,
        latest_ts: float,
        sink: InteractionSink,
        projections: Sequence[tuple[Projection, InteractionSink]],
    ) -> Sequence[Refusal]:
        """Read a record without a translation.

        Raises:
            BadEventError: the record as a whole cannot be counted.
        """
        value = record.value
        if value is None or len(value) > self._max_record_bytes:
            raise _unfit(value)
        try:
            decoded = orjson.loads(value)
        except orjson.JSONDecodeError:
            decoded = _apart(value)
        field, elements = "", decoded
        if type(decoded) is dict:
            if "events" in decoded and "item_id" not in decoded:
                field, elements = "events", decoded["events"]
            if type(elements) is not list:
                try:
                    self.take(decoded, record, latest_ts, sink, projections)
                except BadEventError as error:
                    alone = RecordRefusals(record)
                    event = Translation(decoded, FLAT, (), _LINES)
                    self._judge(event, error, alone, latest_ts, sink, projections)
                    return alone.found
                return ()
        elif type(decoded) is not list:
            raise BadEventError("not_an_event", CODES["not_an_event"])
        refused: RecordRefusals | None = None
        take = self.take
        for place, element in enumerate(elements):
            try:
                take(element, record, latest_ts, sink, projections)
            except BadEventError as error:
                if refused is not None and refused.is_full and type(element) is not dict:
                    refused.add_another()
                    continue
                if refused is None:
                    refused = RecordRefusals(record)
                    if field and (found := foreign_format(decoded)):
                        raise other_format(found, FLAT.name) from None
                path = (field, place) if field else (place,)
                event = Translation(element, FLAT, path, _LINES)
                self._judge(event, error, refused, latest_ts, sink, projections)
        return refused.found if refused else ()

    def _read_translated(
        self,
        record: Record,
        latest_ts: float,
        sink: InteractionSink,
        projections: Sequence[tuple[Projection, InteractionSink]],
    ) -> Sequence[Refusal]:
        """Read a record whose format is not `flat`.

        Raises:
            BadEventError: the record as a whole cannot be counted.
        """
        refused: RecordRefusals | None = None
        for place, event in enumerate(self._translations(record)):
            reader = self._readers[event.format.name]
            try:
                reader.take(event.element, record, latest_ts, sink, projections)
            except BadEventError as error:
                refused = refused or RecordRefusals(record)
                self._judge(event, error, refused, latest_ts, sink, projections, place)
        return refused.found if refused else ()

    def _judge(
        self,
        event: Translation,
        error: BadEventError,
        refused: RecordRefusals,
        latest_ts: float,
        sink: InteractionSink,
        projections: Sequence[tuple[Projection, InteractionSink]],
        place: int = 0,
    ) -> None:
        """Refuse an event, or count it after all if its ids were not read exactly."""
        if event.format is FLAT and (found := foreign_format(event.element)):
            error = other_format(found, self._format)
        elif error.code == "invalid_id" and not isinstance(error, PartlyRefusedError):
            reader = self._readers[event.format.name]
            try:
                exact = self._exactly(event, refused, place)
                if exact is not None:
                    reader.take(exact, refused.record, latest_ts, sink, projections, exact=True)
                    return
            except BadEventError as again:
                error = again
        refused.add(event, error)

    def _exactly(self, event: Translation, refused: RecordRefusals, place: int) -> Any:
        """Return an event with its integers as they came; None if that is impossible."""
        if event.format is FLAT:
            try:
                return read_exactly(refused.raw(event))
            except BadEventError:
                return None
        if refused.exact_events is None:
            refused.exact_events = self._exact_events(refused.record)
        return refused.exact_events[place].element if place < len(refused.exact_events) else None

    def _exact_events(self, record: Record) -> Sequence[Translation]:
        try:
            exact = read_exactly(record.value or b"")
        except BadEventError:
            return ()
        return translate(exact, self._format, self._beside(record))

    def _translations(self, record: Record) -> Iterable[Translation]:
        value = record.value
        if value is None or len(value) > self._max_record_bytes:
            raise _unfit(value)
        try:
            decoded = orjson.loads(value)
        except orjson.JSONDecodeError:
            if (event := translate_text(value, self._format)) is not None:
                return (event,)
            decoded = read_apart(value, ARRAYS)
        return translate(decoded, self._format, self._beside(record))

    def _beside(self, record: Record) -> Mapping[str, Any] | None:
        """Return the attributes of a CloudEvent in headers; None without any."""
        if CLOUDEVENTS.name not in self._readers:
            return None
        return envelope_of(getattr(record, "headers", ())) or None


def _apart(value: bytes) -> Any:
    """Return the content of a value that cannot be read at once.

    Raises:
        BadEventError: no part of it can be read, or it is of another format.
    """
    if found := foreign_text(value):
        raise other_format(found, FLAT.name)
    return read_apart(value, ("events",))


def _unfit(value: bytes | None) -> BadEventError:
    if value is None:
        return BadEventError("null_value", CODES["null_value"])
    return BadEventError("too_large", f"the value has {len(value)} bytes")
