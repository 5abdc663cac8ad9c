"""The header of a CSV log: its delimiter, and where its columns are."""

import csv
from collections.abc import Iterable, Sequence

COLUMNS = ("user_id", "item_id", "type", "ts")

DELIMITERS = ",;\t|"

_OTHER_NAMES = {"item_id": "product_id", "type": "event_type", "ts": "event_time"}
"""Names of columns in logs of REES46, by ours."""


def separator(line: str) -> str:
    """Return the delimiter that a first line `sep=;` names, as Excel writes it; "" if none does."""
    text = line.strip("\r\n").strip('"')
    return text[4] if len(text) == 5 and text.lower().startswith("sep=") else ""


def delimiter(line: str) -> str:
    """Return the delimiter with which a header names most columns; a comma if none does."""
    return max(DELIMITERS, key=lambda one: _needed(split(line, one)))


def split(line: str, by: str) -> list[str]:
    """Return the fields of a line that is a row by itself."""
    return next(csv.reader([line], delimiter=by), [])


def names(header: Sequence[str]) -> list[str]:
    """Return the columns of a header by the names that we use.

    A name is read without the spaces around it and in any case, where no other column has it.
    """
    found = list(header)
    for place, name in enumerate(header):
        plain = name.strip().lower()
        if plain not in found:
            found[place] = plain
    for ours, other in _OTHER_NAMES.items():
        if ours not in found and other in found:
            found[found.index(other)] = ours
    return found


def quote_opens(lines: Iterable[str], by: str) -> int:
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


def merges(row: Sequence[str], by: str) -> bool:
    """Return whether every line of a row of several lines is as wide as the row.

    Then two stray quotes have made one row of several.
    """
    return all(line.count(by) == len(row) - 1 for line in by.join(row).splitlines())


def _needed(fields: Sequence[str]) -> int:
    return len(set(COLUMNS).intersection(names(fields)))
