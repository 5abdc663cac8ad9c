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


def delimiter(line: str, wanted: Iterable[str] = COLUMNS) -> str:
    """Return the delimiter with which a header names most columns; a comma if none does.

    Args:
        line: The header.
        wanted: The names of the columns.
    """
    known = set(wanted)
    return max(DELIMITERS, key=lambda one: len(known.intersection(names(split(line, one)))))


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
