"""Times are read by one rule, in any form that a tracker or a file uses."""

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.core.events.values.timestamps import parse_timestamp, scaled
from streamapp.errors import BadEventError


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1_700_000_000, 1_700_000_000.0),
        (1_700_000_000.25, 1_700_000_000.25),
        (1_700_000_000_250, 1_700_000_000.25),
        (1_700_000_000_250.0, 1_700_000_000.25),
        (1_700_000_000_250_000, 1_700_000_000.25),
        (1_700_000_000_250_000_000, 1_700_000_000.25),
        (1_700_000_000_123_456_789, 1_700_000_000.123456789),
        (-5, -5.0),
        (-1_700_000_000_250, -1_700_000_000.25),
        (10**11, 1e11),
        (10**14, 1e11),
        (10**17, 1e11),
        (0, 0.0),
        (1, 1.0),
        (10**11 + 1, 100_000_000.001),
        (10**14 + 1, 100_000_000.000001),
        (10**17 + 1, 100_000_000.0),
        (2 * 10**17, 2e8),
        (10**20 - 1, 1e11),
        (-(10**11), -1e11),
        (-(10**11) - 1, -100_000_000.001),
        (10**20, math.inf),
        (10**25, math.inf),
        (-(10**20), -math.inf),
    ],
)
def test_the_size_of_a_number_says_its_unit(value: float, seconds: float) -> None:
    """From seconds to nanoseconds, and the same of a number that is written as text."""
    assert parse_timestamp(value) == seconds
    assert parse_timestamp(str(value)) == seconds
    assert parse_timestamp(f" {value}\t") == seconds


@pytest.mark.parametrize(
    "text",
    [
        "2023-11-14T22:13:20Z",
        "2023-11-14T22:13:20",
        "2023-11-14 22:13:20 UTC",
        "2023-11-14 22:13:20.000 UTC",
        " 2023-11-14 22:13:20 ",
        "2023-11-14T23:13:20+01:00",
        "20231114T221320Z",
        "1.7E+09",
        "1700000000.0",
    ],
)
def test_iso_dates_are_utc_unless_they_say_otherwise(text: str) -> None:
    """A space, a zone or `UTC` behind a date changes nothing."""
    assert parse_timestamp(text) == 1_700_000_000.0


def test_digits_alone_are_a_number_and_never_a_date() -> None:
    """So milliseconds that begin with 1712 are of 2024, and eight digits are no day."""
    assert parse_timestamp("1712010112345") == 1_712_010_112.345
    assert parse_timestamp("20231114") == 20_231_114.0


@pytest.mark.parametrize("value", [None, "", "  "])
def test_what_is_empty_is_left_out(value: object) -> None:
    """The caller decides what that means."""
    assert parse_timestamp(value) is None


@pytest.mark.parametrize(
    "value", ["soon", "nan", "inf", "-Infinity", "2023-13-01", "1700000000,5", True, [], {}, "0x10"]
)
def test_what_is_no_time_is_refused(value: object) -> None:
    """With one code for every way in."""
    with pytest.raises(BadEventError) as caught:
        parse_timestamp(value)
    assert caught.value.code == "invalid_ts"


@given(st.floats(allow_nan=False) | st.integers())
def test_a_number_of_any_size_is_a_time_or_endless(number: float) -> None:
    """Values within bounds are exact; no value raises."""
    seconds = scaled(number)
    assert abs(seconds) <= 1e11 or seconds == math.copysign(math.inf, number)


@given(st.integers(0, 10**11), st.sampled_from([1, 10**3, 10**6, 10**9]))
def test_every_unit_gives_the_nearest_float(seconds: int, unit: int) -> None:
    """An integer of nanoseconds is divided before it is rounded."""
    number = seconds * unit + unit // 2
    if number > 10**11 * unit // 1_000:
        assert parse_timestamp(number) == number / unit


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_no_time(text: str) -> None:
    """Only a refusal is raised."""
    with suppress(BadEventError):
        seconds = parse_timestamp(text)
        assert seconds is None or not math.isnan(seconds)
