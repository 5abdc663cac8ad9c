"""Event logs: files of events, as the load test produces them and the audit counts them.

A log is CSV (`.csv`, `.tsv`) whose header names at least `user_id,item_id,type,ts`, and perhaps
`order_id`, `anonymous_id` and `from`, or JSON lines (`.jsonl`, `.ndjson`, `.json`) of what trackers
send, in the format that each line looks like. Each may be compressed (`.gz`). Reading checks the
form of a line. Whether its events count is for the rules of the app.
"""

import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import orjson

from streamapp.core.events.fallback_json import read_apart, read_exactly
from streamapp.core.events.formats.known_formats import ARRAYS, AUTO, FLAT, FORMATS
from streamapp.core.events.formats.translate import Translation, translate
from streamapp.core.events.orders import MAX_ORDER_ITEMS, order_items
from streamapp.core.events.rules import EventRules
from streamapp.core.events.values.timestamps import SECONDS_UP_TO, parse_timestamp
from streamapp.core.events.values.type_names import TypeNames
from streamapp.errors import BadEventError, ConfigError
from streamapp.eventlog.header import COLUMNS, delimiter, names, separator
from streamapp.eventlog.refusing import refuse, refuse_encoding
from streamapp.eventlog.strict_rows import strict_rows
from streamapp.eventlog.text import open_text

ORDER = "order_id"
FROM = "from"
_VISITOR = "anonymous_id"


class LoggedEvent(NamedTuple):
    """An event of a log.

    Attributes:
        user_id: As logged, perhaps empty; of a visitor where no user is logged.
        item_id: As logged, perhaps empty.
        type: Name of its type as logged, or as the app calls it; None where it is left out.
        ts: Event time in seconds; None where it is left out.
        order_id: As logged, whatever it is; None where it is left out.
        merged: The user who is merged, as logged in the field `from`; None where it is left out.
    """

    user_id: str
    item_id: str
    type: str | None
    ts: float | None
    order_id: Any = None
    merged: Any = None

    def element(self) -> dict[str, Any]:
        """Return the event as trackers send it, with all its fields."""
        fields = self._asdict()
        fields[FROM] = fields.pop("merged")
        return fields


def read_log(paths: Iterable[Path], rules: EventRules | None = None) -> Iterator[LoggedEvent]:
    """Yield the events of `paths`, one file after the other, each in its own order.

    An order is one event for each of its items.

    Args:
        paths: The files.
        rules: What events are judged by later; None for the defaults.

    Raises:
        ConfigError: a file cannot be read, or a line is malformed; names the file and the line.

    Cost: 1 to 2 us an event, a few more in another format than `flat`; memory for one line.
    """
    for path in paths:
        yield from _read_file(path, rules)


def _read_file(path: Path, rules: EventRules | None) -> Iterator[LoggedEvent]:
    name = path.name.lower()
    read = _READERS.get(Path(name.removesuffix(".gz")).suffix)
    if read is None:
        known = ", ".join(_READERS)
        raise ConfigError(
            f"{path}: an event log ends in one of {known}, perhaps with .gz behind it"
        )
    try:
        with open_text(path) as file:
            yield from read(file, path, rules)
    except UnicodeDecodeError as error:
        refuse_encoding(path, error)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: the log cannot be read: {reason}") from None


def _read_csv(file: TextIO, path: Path, _rules: EventRules | None) -> Iterator[LoggedEvent]:
    first, above = file.readline(), 0
    by = separator(first)
    if by:
        first, above = file.readline(), 1
    by = by or delimiter(first)
    rows = strict_rows(path, chain((first,) if first else (), file), by, above)
    line, header = next(rows, (1 + above, []))
    named = names(header)
    if missing := [name for name in COLUMNS if name not in named]:
        found = f"; it is {first.strip()[:80]!r}" if header else ""
        refuse(path, 1 + above, f"the header lacks {', '.join(missing)}{found}")
    more = [name for name in (ORDER, _VISITOR, FROM) if name in named]
    width, pick = len(header), itemgetter(*map(named.index, (*COLUMNS, *more)))
    for line, row in rows:
        if len(row) != width:
            if not row:
                continue
            refuse(path, line, f"{len(row)} fields under a header of {width}")
        user_id, item_id, name, text, *rest = pick(row)
        found_more = dict(zip(more, rest, strict=True)) if rest else {}
        try:
            ts: float | None = float(text)
        except ValueError:
            ts = math.inf
        if not (ts is not None and 0 <= ts <= SECONDS_UP_TO):
            ts = _seconds(text, path, line, shown=True)
        yield LoggedEvent(
            user_id or found_more.get(_VISITOR, ""),
            item_id,
            name.strip() or None,
            ts,
            found_more.get(ORDER) or None,
            found_more.get(FROM) or None,
        )


def _read_json(file: TextIO, path: Path, rules: EventRules | None) -> Iterator[LoggedEvent]:
    lines = _JsonLines(path, rules)
    for line, text in enumerate(file, 1):
        if not text.isspace():
            try:
                events = lines.events(text, line)
            except ConfigError as error:
                if text.strip() in {"[", "{"}:
                    raise ConfigError(f"{error}; an event or array must be in one line") from None
                raise
            yield from events


_READERS: dict[str, Callable[[TextIO, Path, EventRules | None], Iterator[LoggedEvent]]] = {
    ".csv": _read_csv,
    ".jsonl": _read_json,
    ".ndjson": _read_json,
    ".json": _read_json,
    ".tsv": _read_csv,
}


class _JsonLines:
    """Reads the lines of one file."""

    def __init__(self, path: Path, rules: EventRules | None) -> None:
        self._path = path
        self._most = rules.max_order_items if rules else MAX_ORDER_ITEMS
        self._names: Mapping[str, TypeNames] = {
            name: TypeNames(rules.types if rules else {k: k for k in form.types.values()}, form)
            for name, form in FORMATS.items()
        }

    def events(self, text: str, line: int) -> list[LoggedEvent]:
        """Return the events of a line.

        Raises:
            ConfigError: the line is malformed.
        """
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            try:
                value = read_apart(text.encode(), ARRAYS)
            except BadEventError as error:
                reason = str(error).removeprefix("the value is not JSON: ")
                refuse(self._path, line, f"not JSON: {reason}")
        try:
            return self._events(value, line)
        except ConfigError as refusal:
            # The fast reader makes a float of an integer of 2^64 or more.
            try:
                exact = read_exactly(text.encode())
            except BadEventError:
                raise refusal from None
            return self._events(exact, line)

    def _events(self, value: Any, line: int) -> list[LoggedEvent]:
        if type(value) is dict and "item_id" in value:
            return [self._event(value, line, value.get("type"))]
        return [
            event for found in translate(value, AUTO) for event in self._translated(found, line)
        ]

    def _translated(self, found: Translation, line: int) -> Iterator[LoggedEvent]:
        element = found.element
        if type(element) is not dict:
            error = getattr(element, "error", element)
            refuse(
                self._path,
                line,
                str(error)
                if isinstance(error, BadEventError)
                else "neither an event nor an array of events",
            )
        name, names = element.get("type"), self._names[found.format.name]
        if found.format is not FLAT and isinstance(name, str):
            name = names.types.get(name) or names.spelled(name) or name
        event = self._event(element, line, name)
        if event.item_id or element.get("items") is None:
            yield event
            return
        try:
            items, refused = order_items(element["items"], self._most, exact=False)
        except BadEventError as error:
            refuse(self._path, line, str(error))
        for item in items:
            yield event._replace(item_id=item)
        for place, why in refused:
            if why.code == "missing_id":
                yield event
            elif place is not None:
                refuse(self._path, line, str(why))

    def _event(self, element: Mapping[str, Any], line: int, name: Any) -> LoggedEvent:
        if not (name is None or isinstance(name, str)):
            refuse(self._path, line, "type is not a string")
        return LoggedEvent(
            self._id(element, "user_id", line) or self._id(element, _VISITOR, line),
            self._id(element, "item_id", line),
            (name.strip() or None) if name else None,
            _seconds(element.get("ts"), self._path, line),
            element.get(ORDER),
            element.get(FROM),
        )

    def _id(self, element: Mapping[str, Any], field: str, line: int) -> str:
        value = element.get(field)
        if value is None:
            return ""
        if type(value) not in {str, int}:
            refuse(self._path, line, f"{field} is neither a string nor an integer")
        return str(value)


def _seconds(value: Any, path: Path, line: int, *, shown: bool = False) -> float | None:
    try:
        ts = parse_timestamp(value)
    except BadEventError as error:
        refuse(path, line, f"{error}: {value[:40]!r}" if shown else str(error))
    if ts is not None and not math.isfinite(ts):
        refuse(path, line, "ts is not finite")
    return ts
