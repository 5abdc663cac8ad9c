"""Reads CSV files, a block of columns at a time."""

import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import pyarrow as pa
from pyarrow import csv

from streamapp.errors import ConfigError
from streamapp.eventlog.header import DELIMITERS, delimiter, separator, split
from streamapp.eventlog.strict_rows import strict_rows
from streamapp.eventlog.text import open_text
from streamapp.importing.mapping import FieldMapping
from streamapp.importing.source import Portion

_BLOCK_BYTES = 500_000


class CsvForm(NamedTuple):
    """What the command line says about CSV files; what is empty is recognised.

    Attributes:
        delimiter: One character.
        encoding: A name that Python knows.
        header: The names of the columns of files without a header, separated by commas.
    """

    delimiter: str = ""
    encoding: str = ""
    header: str = ""


class CsvSource:
    """A CSV file, perhaps compressed with gzip.

    Args:
        path: The file.
        mapping: The columns of the fields.
        form: What is known about the file.

    Attributes:
        size: Bytes of the file.

    Cost: 0.2 us a line of four fields; memory for a few blocks of 0.5 MB.
    """

    def __init__(self, path: Path, mapping: FieldMapping, form: CsvForm) -> None:
        self.size = path.stat().st_size
        self._path = path
        self._mapping = mapping
        self._form = form
        self._encoding = form.encoding or None
        self._is_quoted = True

    def check(self) -> None:
        """Refuse malformed quotes; a file without any quote is only looked through.

        Raises:
            ConfigError: quotes are malformed; names the line where the quote opens.
        """
        with open_text(self._path, self._encoding) as file:
            self._is_quoted = any('"' in block for block in iter(lambda: file.read(1 << 20), ""))
        if not self._is_quoted:
            return
        head = self._head()
        with open_text(self._path, self._encoding) as file:
            lines = islice(file, head.above, None)
            for _ in strict_rows(self._path, lines, head.by, head.above, self._encoding):
                pass

    def portions(self) -> Iterator[Portion]:
        """Yield the file from its begin.

        Raises:
            ConfigError: it cannot be read, or lacks a column.
        """
        head = self._head()
        places = self._mapping.places(head.columns, str(self._path))
        refused = _RefusedRows()
        with open_text(self._path, self._encoding) as file:
            first = next(islice(file, head.above, None), "")
            if not first:
                return
            source = pa.PythonFile(_Utf8(first, file), "r")
            try:
                for batch in self._reader(source, head, places, refused):
                    found = {name: batch.column(str(place)) for name, place in places.items()}
                    rows = refused.taken()
                    yield Portion(found, (), rows, _position(file), len(batch) + len(rows))
            except pa.ArrowInvalid as error:
                raise ConfigError(f"{self._path}: cannot be read: {error}") from None
            if rows := refused.taken():
                yield Portion({}, (), rows, self.size, len(rows))

    def _reader(
        self, source: Any, head: "_Head", places: dict[str, int], refused: "_RefusedRows"
    ) -> Any:
        # By numbers, because two columns of a file may have one name.
        columns = [str(place) for place in range(len(head.columns))]
        kept = sorted({str(place) for place in places.values()})
        return csv.open_csv(
            source,
            csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, column_names=columns),
            csv.ParseOptions(
                delimiter=head.by,
                quote_char='"' if self._is_quoted else False,
                newlines_in_values=self._is_quoted,
                invalid_row_handler=refused.take,
            ),
            csv.ConvertOptions(
                column_types=dict.fromkeys(kept, pa.string()),
                include_columns=kept,
                check_utf8=False,
            ),
        )

    def _head(self) -> "_Head":
        form = self._form
        with open_text(self._path, self._encoding) as file:
            first, above = file.readline(), 0
            by = separator(first)
            if by:
                first, above = file.readline(), 1
        by = form.delimiter or by
        if form.header:
            return _Head(form.header.split(","), by or _most_frequent(first), above)
        by = by or delimiter(first, self._mapping.wanted.values())
        return _Head(split(first, by), by, above + 1)


class _Head(NamedTuple):
    """What is above the rows: the names of the columns, the delimiter, the number of lines."""

    columns: list[str]
    by: str
    above: int


class _RefusedRows:
    """Rows that are not as wide as the header."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str]] = []

    def take(self, row: Any) -> str:
        """Note a row, and tell the reader to go on."""
        self._rows.append((f"{row.actual_columns} fields, not {row.expected_columns}", row.text))
        return "skip"

    def taken(self) -> list[tuple[str, str]]:
        """Return the rows since the last call."""
        count = len(self._rows)
        rows, self._rows[:count] = self._rows[:count], []
        return rows


class _Utf8(io.RawIOBase):
    """The rest of a text as a file of UTF-8, which arrow reads."""

    def __init__(self, first: str, rest: TextIO) -> None:
        super().__init__()
        self._ahead = first.encode()
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes: arrow's buffer holds no more."""
        if not self._ahead:
            self._ahead = self._rest.read(size).encode()
        found, self._ahead = self._ahead[:size], self._ahead[size:]
        return found

    def readable(self) -> bool:
        """Return that it can be read."""
        return True


def _position(file: TextIO) -> int:
    """Return how many bytes of a file were read, also of one that is compressed."""
    raw: Any = file.buffer
    position: int = getattr(raw, "fileobj", raw).tell()
    return position


def _most_frequent(line: str) -> str:
    return max(DELIMITERS, key=line.count)
