"""Reads files of JSON lines."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from streamapp.core.events.fallback_json import read_exactly
from streamapp.errors import BadEventError
from streamapp.eventlog.text import open_text
from streamapp.importing.mapping import FIELDS, FieldMapping
from streamapp.importing.source import Portion

_LINES = 5_000
_FIELDS = frozenset(FIELDS)
_ALWAYS = {"user_id", "item_id", "type", "ts"}
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

    Cost: 3 us an event; memory for 5,000 lines.
    """

    def __init__(self, path: Path, mapping: FieldMapping, encoding: str = "") -> None:
        self.size = path.stat().st_size
        self._path = path
        self._encoding = encoding or None
        self._is_mapped = bool(mapping.columns or mapping.fixed_type)
        self._columns = mapping.wanted
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
                columns = _columns(elements)
                rest = () if columns else elements
                yield Portion(columns, rest, unreadable, min(done, self.size), len(lines))

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
        found = {
            name: element[column] for name, column in self._columns.items() if column in element
        }
        if self._fixed_type:
            found["type"] = self._fixed_type
        if "items" in element:
            found["items"] = element["items"]
        return found


def _columns(elements: Sequence[Any]) -> dict[str, Any]:
    """Return columns if all elements are events with one item and without other fields.

    Columns are judged several times faster. Values of several types in a field are no column.
    """
    if not all(
        type(one) is dict and "item_id" in one and one.keys() <= _FIELDS for one in elements
    ):
        return {}
    names = [name for name in FIELDS if name in _ALWAYS or any(name in one for one in elements)]
    try:
        return {name: pa.array([one.get(name) for one in elements]) for name in names}
    except (pa.ArrowException, OverflowError):
        return {}


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
