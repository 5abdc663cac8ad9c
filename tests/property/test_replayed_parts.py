"""What a replay sends alone counts as it would have counted in its record."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.core.events.refusals import ENCLOSED, EVENT
from tests.property.test_formats import WRITERS, Event, events, told
from tests.support.reading import encoded, said

TOGETHER: dict[str, Callable[[list[Any]], Any]] = {
    "flat": lambda some: {"events": some},
    "segment": lambda some: {"batch": some, "sentAt": "2023-11-14T22:13:20Z"},
    "ga4": lambda some: {"client_id": "c", "events": [one for it in some for one in it["events"]]},
    "cloudevents": lambda some: {
        "specversion": "1.0", "type": "click", "data": [one["data"] for one in some]
    },
    "matomo": lambda some: {"requests": [one for it in some for one in it["requests"]]},
}  # fmt: skip
"""One envelope around several events, in the formats that have such."""

ALONE = {"flat", "segment"}
"""Formats whose events say the same without it."""


def parts_of(value: Any, form: str) -> list[tuple[bytes, str]]:
    """Return the value and the part of each letter, where every event is refused for its key."""
    found = said(value, form, check_keys=True)
    assert set(found.codes) <= {"key_mismatch"}
    return [(one.value or b"", one.part) for one in found.refusals]


@pytest.mark.parametrize("form", WRITERS)
@given(stream=st.lists(events(), min_size=1, max_size=6))
def test_the_envelopes_of_an_array_count_alone_as_they_count_together(
    form: str, stream: list[Event]
) -> None:
    """In each format on its own topic, and with format `auto`."""
    value = [WRITERS[form](event) for event in told(stream, form)]
    for name in (form, "auto"):
        parts = parts_of(value, name)
        again = Counter(
            one for raw, part in parts if part == EVENT for one in said(raw, name).taken
        )
        together = Counter(said(value, name).taken)
        if all(part == EVENT for _, part in parts):
            assert again == together
        else:
            assert again <= together


@pytest.mark.parametrize("form", TOGETHER)
@given(stream=st.lists(events(), min_size=1, max_size=6))
def test_events_in_one_envelope_go_back_alone_only_where_they_do_not_need_it(
    form: str, stream: list[Event]
) -> None:
    """The others stay, whatever they hold."""
    value = TOGETHER[form]([WRITERS[form](event) for event in told(stream, form)])
    parts = parts_of(value, form)
    assert {part for _, part in parts} <= {EVENT if form in ALONE else ENCLOSED}
    if form in ALONE:
        again = [one for raw, _ in parts for one in said(raw, form).taken]
        assert again == said(value, form).taken


@given(event=events())
def test_an_event_that_is_the_whole_value_is_no_part(event: Event) -> None:
    """Its record goes back as it came."""
    value = WRITERS["flat"](event)
    assert parts_of(value, "flat") == [(encoded(value), "")]
