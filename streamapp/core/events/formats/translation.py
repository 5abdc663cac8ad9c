"""Translates the value of a record to flat events, whatever its format."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from streamapp.core.events.formats.cloudevents import CLOUDEVENTS
from streamapp.core.events.formats.envelope import FlatEvent, Format, Json
from streamapp.core.events.formats.ga4 import GA4
from streamapp.core.events.formats.matomo import MATOMO
from streamapp.core.events.formats.segment import SEGMENT
from streamapp.core.events.formats.shopify import SHOPIFY
from streamapp.core.events.formats.snowplow import SNOWPLOW
from streamapp.errors import BadEventError

AUTO = "auto"
"""The name of the setting that decides by the envelope of each event."""

FLAT = Format(
    name="flat",
    types={},
    arrays=("events",),
    recognises=lambda value: "item_id" in value or ("items" in value and "user_id" in value),
    flat=lambda event, _envelope: FlatEvent(event, ("items",)),  # type: ignore[arg-type]
)
"""The format that the app reads without a translation."""

_FOREIGN = (CLOUDEVENTS, GA4, SEGMENT, SNOWPLOW, SHOPIFY, MATOMO)

FORMATS: Mapping[str, Format] = {one.name: one for one in (FLAT, *_FOREIGN)}
"""Every format by its name."""

FORMAT_NAMES = (*FORMATS, AUTO)
"""The values of the setting for a topic."""

ARRAYS = frozenset(name for one in FORMATS.values() for name in one.arrays)
"""Fields in which some format holds several events."""


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


def foreign_format(value: Any) -> str:
    """Return the name of the format other than `flat` that a value looks like; "" for none."""
    if type(value) is dict and "item_id" not in value:
        for one in _FOREIGN:
            if one.recognises(value):
                return one.name
    return ""


def other_format(found: str, expected: str) -> BadEventError:
    """Return why an event in another format than that of its topic is refused."""
    return BadEventError(
        "other_format",
        f"the event looks like {found}, but EVENT_FORMATS reads its topic as {expected}",
    )


def foreign_text(value: bytes) -> str:
    """Return the name of the format that a value looks like which is not JSON; "" for none."""
    for one in _FOREIGN:
        if one.text is not None and one.text(value) is not None:
            return one.name
    return ""


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
        envelope: What a CloudEvent has beside its data, where its data alone is the value.

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
