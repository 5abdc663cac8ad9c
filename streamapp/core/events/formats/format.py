"""The interface of a format: how its envelope is recognised, and which flat events it holds.

A translation reads only the fields that decide who did what with which item and when. It checks
nothing: a field that is missing or wrong is also missing or wrong in the flat event, which is
checked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

Json: TypeAlias = Mapping[str, Any]

NO_FIELDS: Json = {}


class FlatEvent(NamedTuple):
    """An event in the flat form.

    Attributes:
        fields: As a flat event has them.
        lines_at: The path from the original event to the array that became `items`; empty if the
            original has no such array.
    """

    fields: dict[str, Any]
    lines_at: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """A format of events.

    Attributes:
        name: As the setting calls it.
        types: Type of the app by the name that the format has for it.
        arrays: Fields of an envelope that hold several events.
        recognises: Says whether a JSON object is an envelope of this format.
        flat: Translates one event, given it and the envelope that it came in; both are the same
            where the envelope holds one event.
        text: Reads a value that is not JSON; returns None if it is not of this format.
        query: Reads an event that is a text instead of an object.
        last_word: Whether the part of a type's name behind the last dot may name it too.
        stands_alone: Whether an event of `arrays` says the same without its envelope.
    """

    name: str
    types: Mapping[str, str]
    arrays: tuple[str, ...]
    recognises: Callable[[Json], bool]
    flat: Callable[[Json, Json], FlatEvent]
    text: Callable[[bytes], Json | None] | None = None
    query: Callable[[str], Json] | None = None
    last_word: bool = False
    stands_alone: bool = False


def first(fields: Json, *names: str) -> Any:
    """Return the first of some fields that is present, not null and not empty; or None."""
    for name in names:
        value = fields.get(name)
        if value is not None and value != "":
            return value
    return None


def inner(fields: Json, *names: str) -> Json:
    """Return the object that names lead to; an empty one if there is none."""
    found = fields
    for name in names:
        value = found.get(name)
        if type(value) is not dict:
            return NO_FIELDS
        found = value
    return found


def lines(products: Any, item: Callable[[Json], Any]) -> list[Any] | None:
    """Return the lines of an order in the flat form; None if `products` is no array.

    A line that is no object is returned unchanged.
    """
    if type(products) is not list:
        return None
    return [{"item_id": item(one)} if type(one) is dict else one for one in products]
