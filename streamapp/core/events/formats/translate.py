"""Translates the value of a record to flat events, whatever its format."""

from typing import Any, NamedTuple

from streamapp.core.events.formats.cloudevents import CLOUDEVENTS
from streamapp.core.events.formats.format import Format, Json
from streamapp.core.events.formats.known_formats import (
    AUTO,
    FLAT,
    FORMATS,
    foreign_format,
    foreign_text,
    other_format,
)
from streamapp.errors import BadEventError


class Translation(NamedTuple):
    """One event of a record's value.

    Attributes:
        element: In the flat form; unchanged if it is no object.
        format: The format in which it came.
        path: Leads to the event in the value.
        lines_at: Leads from there to its lines.
    """

    element: Any
    format: Format
    path: tuple[str | int, ...] = ()
    lines_at: tuple[str | int, ...] = ()


def translate_text(value: bytes, name: str) -> Translation | None:
    """Return the event of a value that is not JSON; None if the format has no such values.

    Raises:
        BadEventError: the value looks like another format.
    """
    found = foreign_text(value)
    if not found:
        return None
    if name not in {found, AUTO}:
        raise other_format(found, name)
    form = FORMATS[found]
    fields = form.text(value) if form.text is not None else None
    return None if fields is None else Translation(form.flat(fields, fields).fields, form)


def translate(value: Any, name: str, envelope: Json | None = None) -> list[Translation]:
    """Return the events of a value.

    Args:
        value: What a record says: one envelope, or an array of them.
        name: The format, or `auto`.
        envelope: The attributes in the headers of a CloudEvent, if the value is only its data;
            else None.

    An envelope of another format is one translation whose element is the error.
    """
    found: list[Translation] = []
    if type(value) is list:
        for place, one in enumerate(value):
            _open(one, name, envelope, (place,), found)
    else:
        _open(value, name, envelope, (), found)
    return found


def _open(
    value: Any,
    name: str,
    beside: Json | None,
    path: tuple[str | int, ...],
    found: list[Translation],
) -> None:
    """Add the events of one envelope."""
    if type(value) is not dict:
        found.append(_event(value, {}, FLAT if name == AUTO else FORMATS[name], path))
        return
    if beside is not None:
        found.append(_event(value, beside, CLOUDEVENTS, path))
        return
    form = _format_of(value, name)
    if isinstance(form, BadEventError):
        found.append(Translation(form, FORMATS[name], path))
        return
    for field in form.arrays:
        events = value.get(field)
        if type(events) is list and "item_id" not in value:
            for place, event in enumerate(events):
                found.append(_event(event, value, form, (*path, field, place)))
            return
    found.append(_event(value, value, form, path))


def _format_of(value: Json, name: str) -> Format | BadEventError:
    """Return the format of an envelope, or why it is refused on a topic of format `name`."""
    if name != AUTO and FORMATS[name].recognises(value):
        return FORMATS[name]
    looks_like = foreign_format(value) or (FLAT.name if FLAT.recognises(value) else "")
    if name == AUTO:
        return FORMATS[looks_like or FLAT.name]
    return other_format(looks_like, name) if looks_like else FORMATS[name]


def _event(event: Any, envelope: Json, form: Format, path: tuple[str | int, ...]) -> Translation:
    if type(event) is str and form.query is not None:
        event = form.query(event)
    if type(event) is not dict:
        return Translation(event, form, path)
    fields, lines_at = form.flat(event, envelope)
    return Translation(fields, form, path, lines_at)
