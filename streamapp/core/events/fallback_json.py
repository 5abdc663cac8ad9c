"""Reads JSON that the fast reader refuses or reads inexactly.

orjson refuses a whole value for one number of 1e400, one `NaN` or one half of a surrogate pair. It
returns a float for an integer of 2^64 or more. Here a value is cut into its parts byte for byte,
however deeply they are nested, and each part is read alone.
"""

import json
import math
import re
from collections.abc import Collection
from typing import Any, NoReturn

import orjson

from streamapp.errors import BadEventError

_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+("?)|[\[{]+|[\]}]+|,', re.DOTALL)
"""The separators of parts.

An unterminated string matches up to the end of the value, so the search stays linear."""

_KEY = re.compile(rb'("(?:[^"\\]++|\\.)*+")\s*+:(.*)', re.DOTALL)
_MOST_DIGITS = 4_000
"""Python turns at most 4,300 digits into an integer; an integer over this stays text."""

_REASONS = {
    "schema_registry_frame": "the value is framed by a schema registry (first byte 0)",
    "not_utf8": "the value is not UTF-8",
    "not_json": "the value is not JSON",
    "too_deep": "the value is nested too deeply",
}


class BrokenText:
    """A text that holds half of a surrogate pair, so that it has no bytes in UTF-8."""


class Unreadable:
    """An element that is not JSON, beside others that may be.

    Attributes:
        error: Why it cannot be read.
    """

    def __init__(self, error: BadEventError) -> None:
        self.error = error


def read_exactly(value: bytes) -> Any:
    """Return the content of JSON: integers of any size, and `BrokenText` for a text without bytes.

    An integer of more than 4,000 digits is returned as their text.

    Raises:
        BadEventError: the value is not JSON; the code says why.

    Cost: about ten times that of orjson.
    """
    if value[:1] == b"\0":
        raise _refusal("schema_registry_frame")
    try:
        text = value.decode()
        found = json.loads(
            text, parse_constant=_not_finite, parse_int=_integer, parse_float=_finite
        )
    except UnicodeDecodeError:
        raise _refusal("not_utf8") from None
    except ValueError as error:
        raise _refusal("not_json", error) from None
    except RecursionError:
        raise _refusal("too_deep") from None
    return _without_surrogates(found) if "\\u" in text else found


def read_part(part: bytes) -> Any:
    """Return the content of one part, or `Unreadable`."""
    try:
        return orjson.loads(part)
    except orjson.JSONDecodeError as error:
        if "depth limit" in str(error):
            return Unreadable(_refusal("too_deep"))
    try:
        return read_exactly(part)
    except BadEventError as error:
        return Unreadable(error)


def read_apart(value: bytes, arrays: Collection[str]) -> Any:
    """Return the content of a value that cannot be read at once, element by element.

    An element of the value, or of an array that `arrays` names in it, is `Unreadable` if it cannot
    be read.

    Raises:
        BadEventError: the value cannot be cut apart, or a part outside its elements is unreadable.
    """
    elements = elements_of(value)
    if elements is not None:
        return [read_part(element) for element in elements]
    members = members_of(value)
    if members is None:
        return read_exactly(value)
    return {name: _read_member(name, part, arrays) for name, part in members.items()}


def _read_member(name: str, part: bytes, arrays: Collection[str]) -> Any:
    elements = elements_of(part) if name in arrays else None
    if elements is not None:
        return [read_part(element) for element in elements]
    found = read_part(part)
    if type(found) is Unreadable:
        raise found.error
    return found


def elements_of(array: bytes) -> list[bytes] | None:
    """Return the elements of an array byte for byte, without the space around them.

    Returns None if `array` is no array, or its brackets, quotes and commas do not fit.
    """
    return _cut(array, b"[", b"]")


def members_of(value: bytes) -> dict[str, bytes] | None:
    """Return the values of an object by name, byte for byte; of equal names the last one.

    Returns None if `value` is no object, or its brackets, quotes and commas do not fit.
    """
    cut = _cut(value, b"{", b"}")
    if cut is None:
        return None
    members: dict[str, bytes] = {}
    for part in cut:
        match = _KEY.match(part)
        if match is None:
            return None
        name = read_part(match[1])
        members[name if type(name) is str else ""] = match[2].strip()
    return members


class RawParts:
    """Finds the parts of a value byte for byte by the names and numbers that lead to them.

    Cost: each array and object on the path is cut once.
    """

    def __init__(self, value: bytes) -> None:
        self._value = value
        self._cut: dict[tuple[str | int, ...], Any] = {}

    def at(self, path: tuple[str | int, ...]) -> bytes:
        """Return a part; the whole value if nothing is at `path`."""
        if not path:
            return self._value
        *outer, step = path
        where = tuple(outer)
        if where not in self._cut:
            inside = self.at(where)
            self._cut[where] = elements_of(inside) if type(step) is int else members_of(inside)
        try:
            return bytes(self._cut[where][step])
        except (TypeError, KeyError, IndexError):
            return self._value


def _cut(value: bytes, opening: bytes, closing: bytes) -> list[bytes] | None:
    whole = value.strip()
    if whole[:1] != opening or whole[-1:] != closing:
        return None
    parts: list[bytes] = []
    depth, start, end = 0, 1, len(whole) - 1
    for token in _TOKENS.finditer(whole, 1, end):
        first = token[0][:1]
        if first == b'"':
            if not token[1]:
                return None
        elif first in b"[{":
            depth += len(token[0])
        elif first in b"]}":
            depth -= len(token[0])
            if depth < 0:
                return None
        elif first == b"," and not depth:
            parts.append(whole[start : token.start()].strip())
            start = token.end()
    last = whole[start:end].strip()
    if depth or not all(parts) or (parts and not last):
        return None
    return [*parts, last] if last else parts


def _refusal(code: str, detail: object = None) -> BadEventError:
    return BadEventError(code, _REASONS[code] + (f": {detail}" if detail else ""))


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def _not_finite(name: str) -> NoReturn:
    raise BadEventError("not_finite", f"a number is {name}")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        _not_finite("infinity")
    return number


def _without_surrogates(value: Any) -> Any:
    """Replace every text that has no bytes by `BrokenText`, also names, at any depth."""
    if type(value) is str:
        return value if _has_bytes(value) else BrokenText()
    stack = [value]
    while stack:
        inner = stack.pop()
        if type(inner) is dict:
            for name in [name for name in inner if not _has_bytes(name)]:
                del inner[name]
        for at, one in list(inner.items() if type(inner) is dict else enumerate(inner)):
            if type(one) is str:
                if not _has_bytes(one):
                    inner[at] = BrokenText()
            elif type(one) is dict or type(one) is list:
                stack.append(one)
    return value


def _has_bytes(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)
