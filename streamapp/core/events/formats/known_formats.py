"""The formats of events that the app knows, and the recognition of an event's format."""

from collections.abc import Mapping
from typing import Any

from streamapp.core.events.formats.cloudevents import CLOUDEVENTS
from streamapp.core.events.formats.format import FlatEvent, Format
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
    stands_alone=True,
)
"""The format that the app reads without a translation."""

_FOREIGN = (CLOUDEVENTS, GA4, SEGMENT, SNOWPLOW, SHOPIFY, MATOMO)

FORMATS: Mapping[str, Format] = {one.name: one for one in (FLAT, *_FOREIGN)}
"""Every format by its name."""

FORMAT_NAMES = (*FORMATS, AUTO)
"""The values of the setting for a topic."""

ARRAYS = frozenset(name for one in FORMATS.values() for name in one.arrays)
"""Fields in which some format holds several events."""


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
    """Return the format whose text form a value that is not JSON has; "" for none."""
    for one in _FOREIGN:
        if one.text is not None and one.text(value) is not None:
            return one.name
    return ""
