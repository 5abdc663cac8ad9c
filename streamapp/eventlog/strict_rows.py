"""The rows of a CSV log whose quotes are right."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from streamapp.eventlog.refusing import refuse
from streamapp.eventlog.text import open_text


def strict_rows(
    path: Path, lines: Iterable[str], by: str, above: int = 0, encoding: str | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a log, each with the number of its last line.

    Args:
        path: The file.
        lines: Its lines from the first row on, which is as wide as all rows should be.
        by: The delimiter.
        above: The number of lines above the first row.
        encoding: The encoding of the file; None to recognise it.

    Raises:
        ConfigError: quotes are malformed; names the line where the quote opens.
    """
    reader = csv.reader(lines, delimiter=by, strict=True)
    last, width = 0, 0
    try:
        for row in reader:
            line = reader.line_num
            width = width or len(row)
            if line != last + 1 and (len(row) != width or _merges(row, by)):
                refuse(
                    path,
                    last + 1 + above,
                    f"a quote that opens here closes in line {line + above}; "
                    "a quote inside a field is written twice",
                )
            last = line
            yield line + above, row
    except csv.Error as error:
        start = last + above
        with open_text(path, encoding) as again:
            place = _quote_opens(islice(again, start, reader.line_num + above), by)
        refuse(
            path, start + place + 1, f"{error}; a quote inside a field is written twice, in quotes"
        )


def _quote_opens(lines: Iterable[str], by: str) -> int:
    """Return the place, from 0, of the line in which the last quoted field of `lines` opens."""
    opened, is_inside, is_start = 0, False, True
    for place, line in enumerate(lines):
        before = ""
        for char in line:
            if char == '"' and (is_inside or is_start or before == '"'):
                if is_start and not is_inside:
                    opened = place
                is_inside = not is_inside
                is_start = False
            elif not is_inside:
                is_start = char == by or char in "\r\n"
            before = char
    return opened


def _merges(row: Sequence[str], by: str) -> bool:
    """Return whether every line of a row of several lines is as wide as the row.

    Then two stray quotes have made one row of several.
    """
    return all(line.count(by) == len(row) - 1 for line in by.join(row).splitlines())
