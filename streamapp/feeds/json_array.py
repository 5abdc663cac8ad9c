"""Reads the elements of a JSON array one by one, however long the array is."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, TextIO

from streamapp.errors import ConfigError
from streamapp.eventlog.text import open_text

_BLOCK = 65_536
"""Characters that are read at a time."""

_MOST_CHARACTERS = 16_000_000
"""Longest element, so that a file without an end of an element does not fill the memory."""

_SPACES = " \t\r\n"

_ENDS = frozenset(",]}" + _SPACES)
"""What may follow a number."""


def elements(path: Path, name: str) -> Iterator[Any]:
    """Yield the elements of the arrays of a file.

    Args:
        path: The file: an array, or objects with an array in a field, such as the pages of an
            answer one behind the other.
        name: The name of that field.

    Raises:
        ConfigError: there is no such array, or its JSON is malformed or ends early.

    Memory: one element and a block of 64 kB.
    """
    with open_text(path) as file:
        text = _Ahead(path, file)
        if text.starts_with("["):
            yield from _array(text)
            return
        begin = re.compile(rf'"{re.escape(name)}"\s*:\s*\[')
        found = False
        while text.skip_to(begin):
            found = True
            yield from _array(text)
        if not found:
            raise ConfigError(f"{path}: there is no array {name!r}; --format may be another one")


def _array(text: "_Ahead") -> Iterator[Any]:
    """Yield the elements of the array whose bracket was read."""
    if text.next_mark("]") == "]":
        return
    while True:
        yield text.element()
        if text.next_mark(",]", is_needed=True) == "]":
            return


class _Ahead:
    """The text of a file from the place on that is read next."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self._path = path
        self._file = file
        self._text = ""
        self._at = 0
        self._decode = json.JSONDecoder().raw_decode

    def starts_with(self, mark: str) -> bool:
        """Say whether the next mark is this one, and pass it if it is."""
        return self.next_mark(mark) == mark

    def skip_to(self, begin: re.Pattern[str]) -> bool:
        """Go behind the next match; return whether there is one."""
        while (match := begin.search(self._text, self._at)) is None:
            # A match may begin in the last characters.
            self._at = max(self._at, len(self._text) - 200)
            if not self._more():
                return False
        self._at = match.end()
        return True

    def next_mark(self, marks: str, *, is_needed: bool = False) -> str:
        """Return which of some characters comes next, and pass it; "" if another one does."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACES:
                self._at += 1
            if self._at < len(self._text):
                break
            if not self._more():
                if is_needed:
                    self._refuse("it ends early")
                return ""
        mark = self._text[self._at]
        if mark in marks:
            self._at += 1
            return mark
        if is_needed:
            self._refuse(f"there is {mark!r} where one of {' '.join(marks)} is needed")
        return ""

    def element(self) -> Any:
        """Return the next element, and pass it."""
        self.next_mark("")
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except ValueError as error:
                failure = error
            except RecursionError:
                self._refuse("it is nested too deeply")
            else:
                size = end - self._at
                # A number that a block cuts is a shorter number.
                is_cut = type(value) in {int, float} and self._text[end : end + 1] not in _ENDS
                if not is_cut or not self._more():
                    self._at += size
                    return value
                continue
            if len(self._text) - self._at > _MOST_CHARACTERS:
                self._refuse(f"an element has more than {_MOST_CHARACTERS:,} characters")
            if not self._more():
                self._refuse(str(failure))

    def _more(self) -> bool:
        """Read on, at least as much as is known already; return whether there was more."""
        # Twice as much each time, so that a long element costs linear time.
        size = max(_BLOCK, len(self._text) - self._at)
        added = self._file.read(size)
        self._text = self._text[self._at :] + added
        self._at = 0
        return bool(added)

    def _refuse(self, why: str) -> NoReturn:
        raise ConfigError(f"{self._path}: the JSON is malformed: {why}")
