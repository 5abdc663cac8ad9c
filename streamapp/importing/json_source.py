"""Reads files of JSON lines."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from streamapp.core.events.fallback_json import read_exactly
from streamapp.errors import BadEventError
from streamapp.eventlog.text import open_text
from streamapp.importing.mapping import FieldMapping
from streamapp.importing.source import Portion

_LINES = 5_000
_WIDE = re.compile(r"\d{20}")
"""Digits that may be an integer of 2^64 or more, of which the fast reader makes a float."""


class JsonSource:
    """A file of JSON lines, perhaps compressed with gzip.

    A line is an event, an array of events, or an object whose `events` is such an array. Then the
    other fields of the object are those of each event, such as the `session` of OTTO.

    Args:
        path: The file.
        mapping: The names of the fields.
        encoding: The encoding; empty to recognise it.

    Attributes:
        size: Bytes of the file.

    Cost: 1 us an event; memory for 5,000 lines.
    """

    def __init__(self, path: Path, mapping: FieldMapping, encoding: str = "") -> None:
        self.size = path.stat().st_size
        self._path = path
        self._encoding = encoding or None
        self._is_mapped = bool(mapping.columns or mapping.fixed_type)
        self._columns = mapping.wanted
        self._left_out = {name for name, column in mapping.columns.items() if not column}
        self._fixed_type = mapping.fixed_type

    def check(self) -> None:
        """Do nothing: a line that is not JSON is refused alone."""

    def portions(self) -> Iterator[Portion]:
        """Yield the file from its begin."""
        with open_text(self._path, self._encoding) as file:
            done = 0
            while lines := list(islice(file, _LINES)):
                elements: list[Any] = []
                unreadable: list[tuple[str, str]] = []
                for line in lines:
                    done += len(line)
                    if line.isspace():
                        continue
                    try:
                        value = _read(line)
                    except BadEventError as error:
                        unreadable.append((error.code, line))
                        continue
                    elements += self._events(value)
                yield Portion({}, elements, unreadable, min(done, self.size), len(lines))

    def _events(self, value: Any) -> list[Any]:
        """Return the events of a line, or the line where no field has another name."""
        if not self._is_mapped:
            return [value]
        if type(value) is list:
            return [self._mapped(one) for one in value]
        if type(value) is dict and type(value.get("events")) is list:
            beside = {name: field for name, field in value.items() if name != "events"}
            return [
                self._mapped(beside | one if type(one) is dict else one) for one in value["events"]
            ]
        return [self._mapped(value)]

    def _mapped(self, element: Any) -> Any:
        """Return an event with our names of its fields."""
        if type(element) is not dict:
            return element
        found = dict.fromkeys(self._columns.values())
        found = {name: field for name, field in element.items() if name not in found}
        found |= {
            name: element[column] for name, column in self._columns.items() if column in element
        }
        if self._fixed_type:
            found["type"] = self._fixed_type
        return {name: field for name, field in found.items() if name not in self._left_out}


def _read(line: str) -> Any:
    """Return the value of a line.

    Raises:
        BadEventError: the line is not JSON.
    """
    if _WIDE.search(line):
        return read_exactly(line.encode())
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadEventError("not_json", str(error)) from None
