"""Collects the refused parts of one record, byte for byte, within a bounded number of bytes.

Each part becomes a dead letter, which also carries the key and the headers of the record. A record
of a thousand bad parts must not become a thousand copies of its headers. So after some parts the
rest is one letter with the whole value.
"""

from collections.abc import Sequence

from streamapp.core.events.fallback_json import RawParts
from streamapp.core.events.formats.translate import Translation
from streamapp.core.events.orders import PartlyRefusedError
from streamapp.core.events.record import Record
from streamapp.core.events.refusals import ENCLOSED, EVENT, LINE, REST, Refusal
from streamapp.errors import BadEventError

MAX_PARTS = 100
"""Most parts of a record that have a letter each."""

_SHARE = 3
"""The letters of parts have at most this many times the bytes of their record, and `_EXTRA`."""

_EXTRA = 6_656

_LETTER_BYTES = 512
"""Most bytes of the headers that a letter adds, without the error's message."""

_MESSAGE_CHARACTERS = 200
"""Most characters of a message; no more than two bytes each, as they are English."""

_HEADER_BYTES = 2
"""Least bytes of a header beside its name and value."""


class RecordRefusals:
    """Collects the refused parts of one record.

    Attributes:
        record: The record.
        exact_events: Its events with their integers as they came; None until a part needs them.

    The letters of a record have at most four times its bytes and 8 kB: value, key and headers.
    """

    def __init__(self, record: Record) -> None:
        self.record = record
        self.exact_events: Sequence[Translation] | None = None
        self._parts = RawParts(record.value or b"")
        self._found: list[Refusal] = []
        self._first: BadEventError | None = None
        self._rest = 0
        self._beside = len(record.key or b"") + sum(
            len(name) + len(value or b"") + _HEADER_BYTES
            for name, value in getattr(record, "headers", ())
        )
        self._left = _SHARE * (self._beside + len(record.value or b"")) + _EXTRA

    @property
    def is_full(self) -> bool:
        """Whether no further part has a letter of its own."""
        return self._first is not None

    @property
    def found(self) -> Sequence[Refusal]:
        """The refused parts in order, and the whole value if there are more."""
        if self._first is None:
            return self._found
        whole = self._refusal(self.record.value or b"", self._first)
        return [*self._found, whole._replace(rest=self._rest, part=REST)]

    def raw(self, event: Translation) -> bytes:
        """Return an event byte for byte as it came."""
        return self._parts.at(event.path)

    def add(self, event: Translation, error: BadEventError) -> None:
        """Refuse an event, or the lines of it that are to blame.

        Lines without bytes of their own are refused with the event, once.
        """
        if not isinstance(error, PartlyRefusedError):
            self._add(event.path, error, _part_of(event))
            return
        if not event.lines_at:
            self._add(event.path, error, REST)
            return
        for done, (place, why) in enumerate(error.lines):
            if self.is_full:
                self._rest += len(error.lines) - done
                return
            if place is None:
                self._add(event.path, why, REST)
            else:
                self._add((*event.path, *event.lines_at, place), why, LINE)

    def add_another(self) -> None:
        """Refuse a part that has no letter of its own, because `is_full`."""
        self._rest += 1

    def _add(self, path: tuple[str | int, ...], error: BadEventError, part: str) -> None:
        if self._first is None and len(self._found) < MAX_PARTS:
            refusal = self._refusal(self._parts.at(path), error)
            # Where nothing is at the path, the value is that of the record.
            part = REST if path and refusal.value == self.record.value else part
            size = len(refusal.value or b"") + self._beside + _LETTER_BYTES + len(refusal.message)
            if size <= self._left:
                self._left -= size
                self._found.append(refusal._replace(part=part))
                return
        self._first = self._first or error
        self._rest += 1

    def _refusal(self, value: bytes, error: BadEventError) -> Refusal:
        return Refusal(self.record, value, error.code, str(error)[:_MESSAGE_CHARACTERS])


def _part_of(event: Translation) -> str:
    """Return what an event is of its record, if all of the event is refused."""
    if not event.path:
        return ""
    is_envelope = all(type(step) is int for step in event.path)
    return EVENT if is_envelope or event.format.stands_alone else ENCLOSED
