"""Event logs: files of events, as the load test produces them and the audit counts them.

A log is CSV (`.csv`) whose header names at least `user_id,item_id,type,ts`, and perhaps `order_id`,
or JSON lines (`.jsonl`, `.ndjson`, `.json`) of what trackers send: an event, an array of events or
`{"events": [...]}`; each may be compressed (`.gz`). Reading checks the form of a line. Whether its
events count is for the rules of the app.
"""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from math import isfinite
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TextIO

import orjson

from streamapp.errors import ConfigError

COLUMNS = ("user_id", "item_id", "type", "ts")
ORDER = "order_id"

_MILLISECONDS_FROM = 1e11


class LoggedEvent(NamedTuple):
    """An event of a log.

    Attributes:
        user_id: As logged, perhaps empty.
        item_id: As logged, perhaps empty.
        type: Name of its type as logged; None where it is left out.
        ts: Event time in seconds; None where a JSON line leaves it out.
        order_id: As logged, whatever it is; None where it is left out.
    """

    user_id: str
    item_id: str
    type: str | None
    ts: float | None
    order_id: Any = None


def read_log(paths: Iterable[Path]) -> Iterator[LoggedEvent]:
    """Yield the events of `paths`, one file after the other, each in its own order.

    Raises:
        ConfigError: a file cannot be read, or a line is malformed; names the file and the line.

    Cost: 1 to 2 us an event; memory for one line.
    """
    for path in paths:
        yield from _read_file(path)


def _read_file(path: Path) -> Iterator[LoggedEvent]:
    read = _READERS.get(Path(path.name.removesuffix(".gz")).suffix)
    if read is None:
        known = ", ".join(_READERS)
        raise ConfigError(
            f"{path}: an event log ends in one of {known}, perhaps with .gz behind it"
        )
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield from read(file, path)
    except UnicodeDecodeError:
        with opened(path, "rb") as raw:
            _refuse(path, _first_not_utf8(raw), "not UTF-8")
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: the log cannot be read: {reason}") from None


def _read_csv(file: TextIO, path: Path) -> Iterator[LoggedEvent]:
    reader = csv.reader(file)
    try:
        header = next(reader, [])
        if missing := [name for name in COLUMNS if name not in header]:
            _refuse(path, 1, f"the header lacks {', '.join(missing)}")
        columns = (*COLUMNS, ORDER) if ORDER in header else COLUMNS
        width, pick = len(header), itemgetter(*map(header.index, columns))
        for row in reader:
            if len(row) != width:
                if not row:
                    continue
                _refuse(path, reader.line_num, f"{len(row)} fields under a header of {width}")
            user_id, item_id, name, text, *order = pick(row)
            try:
                ts = float(text)
            except ValueError:
                ts = _moment(text, path, reader.line_num)
            if not 0 <= ts <= _MILLISECONDS_FROM:
                ts = _seconds(ts, path, reader.line_num)
            yield LoggedEvent(user_id, item_id, name or None, ts, *(text or None for text in order))
    except csv.Error as error:
        _refuse(path, reader.line_num, str(error))


def _read_json(file: TextIO, path: Path) -> Iterator[LoggedEvent]:
    for line, text in enumerate(file, 1):
        if text.isspace():
            continue
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            _refuse(path, line, f"not JSON: {error}")
        if isinstance(value, dict) and "item_id" not in value and "events" in value:
            value = value["events"]
        for element in value if isinstance(value, list) else [value]:
            yield _event(element, path, line)


_READERS: dict[str, Callable[[TextIO, Path], Iterator[LoggedEvent]]] = {
    ".csv": _read_csv,
    ".jsonl": _read_json,
    ".ndjson": _read_json,
    ".json": _read_json,
}


def _event(element: Any, path: Path, line: int) -> LoggedEvent:
    if not isinstance(element, dict):
        _refuse(path, line, "neither an event nor an array of events")
    name: Any = element.get("type")
    ts: Any = element.get("ts")
    if not (name is None or isinstance(name, str)):
        _refuse(path, line, "type is not a string")
    if isinstance(ts, str):
        ts = _moment(ts, path, line)
    elif type(ts) in {int, float}:
        ts = _seconds(float(ts), path, line)
    elif ts is not None:
        _refuse(path, line, "ts is neither a number nor an ISO 8601 date")
    user_id, item_id = (_id(element, field, path, line) for field in ("user_id", "item_id"))
    return LoggedEvent(user_id, item_id, name, ts, element.get(ORDER))


def _id(element: dict[str, Any], field: str, path: Path, line: int) -> str:
    value = element.get(field)
    if value is None:
        return ""
    if type(value) not in {str, int}:
        _refuse(path, line, f"{field} is neither a string nor an integer")
    return str(value)


def _seconds(ts: float, path: Path, line: int) -> float:
    if not isfinite(ts):
        _refuse(path, line, "ts is not finite")
    return ts / 1000.0 if ts > _MILLISECONDS_FROM else ts


def _moment(text: str, path: Path, line: int) -> float:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        _refuse(path, line, f"ts is neither a number nor an ISO 8601 date: {text[:40]!r}")


def _first_not_utf8(lines: Iterable[bytes]) -> int:
    for line, content in enumerate(lines, 1):
        try:
            content.decode()
        except UnicodeDecodeError:
            return line
    return 1


def _refuse(path: Path, line: int, reason: str) -> NoReturn:
    raise ConfigError(f"{path}, line {line}: {reason}")
