"""Collects the refused parts of one record, byte for byte."""

from functools import cached_property
from typing import Any

from streamapp.core.events.fallback_json import RawParts, read_exactly
from streamapp.core.events.formats.translate import Translation
from streamapp.core.events.orders import PartlyRefusedError
from streamapp.core.events.record import Record
from streamapp.core.events.refusals import Refusal
from streamapp.errors import BadEventError


class RecordRefusals:
    """Collects the refused parts of one record."""

    def __init__(self, record: Record) -> None:
        self.found: list[Refusal] = []
        self.record = record
        self._parts = RawParts(record.value or b"")

    @cached_property
    def exact_value(self) -> Any:
        """The content of the record's value, with integers of any size.

        Raises:
            BadEventError: it is not JSON.
        """
        return read_exactly(self.record.value or b"")

    def raw(self, event: Translation) -> bytes:
        """Return an event byte for byte as it came."""
        return self._parts.at(event.path)

    def add(self, event: Translation, error: BadEventError) -> None:
        """Refuse an event, or the lines of it that are to blame.

        Lines without bytes of their own are refused with the event, once.
        """
        if not isinstance(error, PartlyRefusedError) or not event.lines_at:
            self._add(self.raw(event), error)
            return
        for place, why in error.lines:
            path = event.path if place is None else (*event.path, *event.lines_at, place)
            self._add(self._parts.at(path), why)

    def _add(self, value: bytes, error: BadEventError) -> None:
        self.found.append(Refusal(self.record, value, error.code, str(error)))
