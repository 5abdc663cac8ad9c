"""Reads feeds of JSON lines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from streamapp.core.events.fallback_json import read_exactly
from streamapp.errors import BadEventError
from streamapp.eventlog.text import open_text
from streamapp.feeds.csv_feed import COLUMNS
from streamapp.feeds.row import FeedRow, UnreadableRow


def json_rows(path: Path) -> Iterator[FeedRow | UnreadableRow]:
    """Yield a row for each line that is an object; its fields are named as columns of CSV are.

    Memory: one line.
    """
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            if line.isspace():
                continue
            place = f"line {number}"
            try:
                value = _read(line)
            except BadEventError as error:
                yield UnreadableRow(place, error.code, str(error), line)
                continue
            if type(value) is dict:
                yield FeedRow(place, *(_field(value, names) for names in COLUMNS.values()))
            else:
                yield UnreadableRow(place, "not_an_object", "the line is no JSON object", line)


def _read(line: str) -> Any:
    """Return the value of a line.

    Raises:
        BadEventError: the line is not JSON.
    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadEventError("not_json", f"the line is not JSON: {error}") from None
    if type(value) is dict and type(_field(value, COLUMNS["item_id"])) is float:
        # The fast reader returns a float for an integer of 2^64 or more.
        return read_exactly(line.encode())
    return value


def _field(value: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((value[name] for name in names if name in value), None)
