"""Reads the rows of a table: a header, and lines of text that a delimiter divides."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from streamapp.errors import ConfigError
from streamapp.eventlog.header import DELIMITERS, separator, split
from streamapp.eventlog.strict_rows import strict_rows
from streamapp.eventlog.text import open_text
from streamapp.feeds.row import UnreadableRow

_MOST_CHARACTERS = 16_000_000
"""Longest field, so that a quote without an end does not fill the memory."""


class Table:
    """A table whose columns have several names.

    Args:
        path: The file, perhaps compressed with gzip.
        columns: The names of the column of each field, in small letters and with `_` for a space.
            The first name that the header has counts.
        needed: The field without which the table makes no sense.

    Memory: one row.
    """

    def __init__(self, path: Path, columns: Mapping[str, Sequence[str]], needed: str) -> None:
        self._path = path
        self._columns = columns
        self._needed = needed

    def rows(self) -> Iterator[tuple[int, dict[str, str]] | UnreadableRow]:
        """Yield each row: the number of its last line, and the text of each field of the header.

        A row of another width than the header is unreadable. Lines without any text are left out.

        Raises:
            ConfigError: the header lacks the needed column, or quotes are malformed.
        """
        with open_text(self._path) as file, _long_fields():
            first, above = file.readline(), 0
            by = separator(first)
            if by:
                first, above = file.readline(), 1
            if not first:
                return
            by = by or self._delimiter(first)
            header = split(first, by)
            places = self._places(header)
            for line, row in strict_rows(self._path, file, by, above + 1):
                if not any(row):
                    continue
                if len(row) == len(header):
                    yield line, {name: row[place] for name, place in places.items()}
                else:
                    why = f"{len(row)} fields, not {len(header)}"
                    place = places[self._needed]
                    item = row[place] if place < len(row) else ""
                    yield UnreadableRow(f"line {line}", "wrong_width", why, by.join(row), item)

    def _delimiter(self, first: str) -> str:
        """Return the delimiter with which the header names most columns."""
        wanted = {name for names in self._columns.values() for name in names}
        return max(
            DELIMITERS, key=lambda by: len(wanted.intersection(map(_plain, split(first, by))))
        )

    def _places(self, header: Sequence[str]) -> dict[str, int]:
        plain = [_plain(name) for name in header]
        found = {
            field: plain.index(name)
            for field, names in self._columns.items()
            if (name := _first(names, plain)) is not None
        }
        if self._needed not in found:
            raise ConfigError(
                f"{self._path}: there is no column {' or '.join(self._columns[self._needed])} "
                f"among {', '.join(header)[:200]}; --format may be another one"
            )
        return found


@contextmanager
def _long_fields() -> Iterator[None]:
    """Let fields be longer than what the reader of Python takes, as descriptions of shops are."""
    before = csv.field_size_limit(_MOST_CHARACTERS)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _plain(name: str) -> str:
    return name.strip().lower().removeprefix("g:").replace(" ", "_")


def _first(names: Iterable[str], header: Sequence[str]) -> str | None:
    return next((name for name in names if name in header), None)
