"""JSON that the fast reader refuses, or reads inexactly, is cut into parts and read again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.core.events.fallback_json import (
    BrokenText,
    RawParts,
    Unreadable,
    elements_of,
    members_of,
    read_apart,
    read_exactly,
)
from streamapp.errors import BadEventError
from tests.support.reading import NOW, said

GOOD = b'{"user_id": "u", "item_id": "a", "type": "click", "ts": 1700000000}'

BAD = {
    b'{"price": NaN, "item_id": "b"}': "not_finite",
    b'{"price": 1e400, "item_id": "b"}': "not_finite",
    b'{"user_id": "u", "type": "click", "item_id": "\\ud800"}': "not_json",
    b'{"item_id": "\xff"}': "not_utf8",
    b'{"item_id": }': "not_json",
    b'{"x": ' + b"[" * 5_000 + b"]" * 5_000 + b"}": "too_deep",
}
"""One element, and the code of its refusal."""


@pytest.mark.parametrize("whole", [b"[%b]", b'{"events": [%b]}'])
@pytest.mark.parametrize("bad", BAD)
def test_one_bad_element_does_not_take_its_neighbours(bad: bytes, whole: bytes) -> None:
    """The others count, and it alone becomes a dead letter, byte for byte."""
    found = said(whole % b" , ".join([GOOD, bad, GOOD]))
    assert [one.item for one in found.taken] == ["a", "a"]
    assert [(one.code, one.value) for one in found.refusals] == [(BAD[bad], bad)]


def test_half_of_a_surrogate_pair_matters_only_where_it_is_read() -> None:
    """A title that a tracker cut in the middle of a letter is ignored like every title."""
    value = GOOD[:-1] + b', "title": "tent \\ud83d", "tags": ["\\udc00"]}'
    assert len(said(value).taken) == 1
    assert type(read_exactly(b'["\\ud800"]')[0]) is BrokenText
    assert read_exactly(b'["\\ud83d\\ude00"]') == ["\N{GRINNING FACE}"]


@pytest.mark.parametrize("digits", ["18446744073709551616", "-9223372036854775809", "1" * 400])
def test_integers_of_any_size_are_their_decimal_strings(digits: str) -> None:
    """As user, item and order, alone and beside others, also in the lines of an order."""
    one = f'{{"user_id": {digits}, "item_id": {digits}, "type": "click", "ts": {NOW}}}'
    order = (
        f'{{"user_id": {digits}, "type": "purchase", "ts": {NOW}, "order_id": {digits}, '
        f'"items": [{{"item_id": {digits}}}, {{"item_id": 7}}]}}'
    )
    found = said(f"[{one}, {order}]".encode())
    assert not found.refusals
    assert [(one.user, one.item) for one in found.taken] == [
        (digits, digits),
        (digits, digits),
        (digits, "7"),
    ]


def test_an_integer_without_an_end_is_too_long_for_an_id() -> None:
    """Python would not turn it into an integer."""
    value = b'{"user_id": "u", "type": "click", "item_id": 1' + b"0" * 10_000 + b"}"
    assert said(value).codes == ["id_too_long"]


def test_an_integer_of_four_thousand_digits_is_read_and_a_longer_one_stays_text() -> None:
    """Python refuses to turn even longer ones into integers."""
    digits = "1" * 4_000
    assert read_exactly(digits.encode()) == int(digits)
    assert read_exactly(f"{digits}1".encode()) == f"{digits}1"


def test_parts_are_found_byte_for_byte_by_what_leads_to_them() -> None:
    """White space inside stays, outside it goes; a path that leads nowhere is the whole."""
    value = b' {"a" : [ 1 , {"b":[ "x,]" , "\\"}" ]} ], "a\\u0062": {} } '
    parts = RawParts(value)
    assert parts.at(("a", 1)) == b'{"b":[ "x,]" , "\\"}" ]}'
    assert parts.at(("a", 1, "b", 1)) == b'"\\"}"'
    assert parts.at(("ab",)) == b"{}"
    assert parts.at(("a", 9)) == parts.at(("a", "b")) == parts.at(("c",)) == value


@pytest.mark.parametrize(
    "broken", [b"", b"[", b"[1", b"[1,]", b"[,]", b"[1,,2]", b"[1]]", b"[[1]", b'["a]', b'["a\\"]']
)
def test_what_does_not_fit_together_is_not_cut(broken: bytes) -> None:
    """Brackets, quotes and commas say where an element ends, or nothing does."""
    assert elements_of(broken) is None
    assert members_of(broken) is None


def test_quotes_without_an_end_are_read_once() -> None:
    """A hostile text of escaped quotes takes no longer than another."""
    hostile = b'[{"a": "' + b'\\"' * 300_000
    with pytest.raises(BadEventError):
        read_apart(hostile, ())
    assert elements_of(hostile + b"]") is None


finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(json_values, st.sampled_from([None, 1]))
def test_what_is_cut_apart_and_read_is_what_was_written(value: object, indent: int | None) -> None:
    """For any nesting and spacing."""
    raw = json.dumps(value, indent=indent).encode()
    assert json.dumps(read_exactly(raw)) == json.dumps(value)
    assert read_apart(raw, ()) == value
    if isinstance(value, list):
        parts = elements_of(raw)
        assert parts is not None
        assert [json.loads(part) for part in parts] == value


@given(st.binary(max_size=60) | st.text('[]{}",:\\u0dN1e.- ', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Only a refusal is raised, and the result equals that of JSON."""
    try:
        read = read_apart(raw, ("events",))
    except BadEventError:
        return
    whole = [one for one in read if type(one) is Unreadable] if isinstance(read, list) else []
    if not whole and b"\\u" not in raw:
        assert json.loads(raw) == read
