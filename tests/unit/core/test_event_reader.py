"""Reading events: everything that the contract allows, and a code for everything else."""

import json
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.core.events.event_reader import EventReader
from streamapp.core.events.fallback_json import RawParts
from streamapp.core.events.refusals import CODES
from streamapp.core.events.rules import EventRules
from streamapp.core.events.values.timestamps import parse_timestamp
from streamapp.errors import BadEventError

NOW = 1_700_000_000.0
RULES = EventRules(
    types={"click": "click", "view": "click", "purchase": "purchase"},
    implied={"clicks": "click"},
    earliest_ts=631_152_000.0,
    max_ahead_s=86_400.0,
    max_record_bytes=1_048_576,
    check_keys=True,
)
READER = EventReader(RULES, "clicks")


ANY_TIME = EventReader(replace(RULES, earliest_ts=-1e30, max_ahead_s=1e30), "clicks")


@dataclass
class Record:
    """A record as Kafka hands it over."""

    value: bytes | None
    key: bytes | None = b"u1"
    offset: int = 7
    timestamp: int = 1_700_000_000_000


class Event(NamedTuple):
    """The outcome of the reader."""

    user: str
    item: str
    type: str
    known: bool
    ts: float


@dataclass
class Sink:
    """Remembers its input."""

    events: list[Event] = field(default_factory=list)

    def add(
        self, offset: int, user: str, item: str, kind: str, ts: float, order: float = 0.0
    ) -> None:
        """Take an interaction."""
        assert offset == Record.offset
        self.events.append(Event(user, item, kind, known=True, ts=ts))

    def leave(self, offset: int, user: str, into: str, logged_ms: int) -> None:
        """Take an event that ends a history; no test here sends one."""
        raise AssertionError(user)

    def skip(self, offset: int, user: str, kind: str) -> None:
        """Take an event of unknown type."""
        self.events.append(Event(user, "", kind, known=False, ts=0.0))


def read(
    value: object,
    key: bytes | None = b"u1",
    reader: EventReader = READER,
) -> list[Event]:
    """Return the events of a value; other types than bytes are sent as JSON."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    sink = Sink()
    for refusal in reader.read([Record(raw, key)], sink):
        raise BadEventError(refusal.code, refusal.message)
    return sink.events


def outcome(value: bytes) -> str:
    """Return "read", or the code of the refusal."""
    try:
        read(value)
    except BadEventError as refusal:
        return refusal.code
    return "read"


def event(**fields: object) -> dict[str, object]:
    """Return a good event with some fields replaced."""
    return {"user_id": "u1", "item_id": "sku-9", "type": "click", "ts": NOW, **fields}


def test_an_object_an_array_and_an_envelope_say_the_same() -> None:
    """Trackers send one event, an array of them, or an object with `events`."""
    one = [Event("u1", "sku-9", "click", known=True, ts=NOW)]
    assert read(event()) == one
    assert read([event(), event()]) == one * 2
    assert read({"events": [event()]}) == one


@pytest.mark.parametrize(
    ("ts", "seconds"),
    [
        (1_700_000_000.25, 1_700_000_000.25),
        (1_700_000_000, 1_700_000_000.0),
        (1_700_000_000_250, 1_700_000_000.25),
        ("2023-11-14T22:13:20Z", 1_700_000_000.0),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000.0),
        ("2023-11-14T22:13:20", 1_700_000_000.0),
        (None, 1_700_000_000.0),
    ],
)
def test_times_are_seconds_milliseconds_iso_dates_or_those_of_the_record(
    ts: object, seconds: float
) -> None:
    """A date without a zone is UTC; a missing time is the record's own."""
    assert read(event(ts=ts))[0].ts == seconds


@pytest.mark.parametrize(
    ("ts", "seconds"),
    [
        (0, 0.0),
        (1, 1.0),
        (-1, -1.0),
        (-1.5, -1.5),
        (-2 * 10**12, -2e9),
        (99_999_999_999, 99_999_999_999.0),
        (10**11, 1e11),
        (10**11 + 1, 100_000_000.001),
        (2 * 10**11, 2e8),
        (1e11, 1e11),
        (2e11, 2e8),
        (10**14, 1e11),
        (10**14 + 10**3, 100_000_000.001),
        (2 * 10**14, 2e8),
        (2e14, 2e8),
        (10**17, 1e11),
        (10**17 + 10**9, 100_000_001.0),
        (2 * 10**17, 2e8),
    ],
)
def test_the_size_of_a_number_says_its_unit_at_every_bound(ts: float, seconds: float) -> None:
    """Whatever times are allowed, an event has the time that every other reader of times finds."""
    for value in (event(ts=ts), {**event(ts=ts), "item_id": None, "items": [{"item_id": "a"}]}):
        (got,) = read(value, reader=ANY_TIME)
        assert got.ts == parse_timestamp(ts) == seconds


@pytest.mark.parametrize(("ts", "taken"), [(-1, False), (0, True), (86_400, True), (86_401, False)])
def test_times_at_both_ends_are_allowed(ts: float, taken: bool) -> None:
    """The first second and the last one count."""
    value = event(ts=RULES.earliest_ts + ts if ts <= 0 else NOW + ts)
    assert outcome(json.dumps(value).encode()) == ("read" if taken else "ts_out_of_range")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("x" * 128, "read"),
        ("x" * 129, "read"),
        ("x" * 512, "read"),
        ("x" * 513, "id_too_long"),
        ("\N{GRINNING FACE}" * 128, "read"),
        ("\N{GRINNING FACE}" * 129, "id_too_long"),
        ("é" * 256, "read"),
        ("é" * 257, "id_too_long"),
        ("é" * 256 + "x", "id_too_long"),
    ],
)
def test_an_id_has_at_most_512_bytes_however_few_characters_these_are(name: str, code: str) -> None:
    """The id of a user, of an item, and of an item in an order."""
    accepting = EventReader(replace(RULES, check_keys=False), "clicks")
    ids = {"user_id": name}, {"item_id": name}, {"item_id": None, "items": [{"item_id": name}]}
    for fields in ids:
        sink = Sink()
        record = Record(json.dumps(event(**fields)).encode())
        refusals = accepting.read([record], sink)
        assert [one.code for one in refusals] == ([] if code == "read" else [code])
        assert [name in (one.user, one.item) for one in sink.events] == [True] * (code == "read")


def test_the_topic_implies_a_missing_type_and_aliases_are_understood() -> None:
    """`clicks` means click; `view` is another name for it; an unknown type keeps its name."""
    without = event()
    del without["type"]
    assert read(without)[0].type == "click"
    assert read(event(type="view"))[0].type == "click"
    assert read(event(type="scroll"))[0] == Event("u1", "", "scroll", known=False, ts=0.0)


@pytest.mark.parametrize("wrong", [{"item_id": None}, {"ts": "soon"}, {"user_id": "u2"}])
def test_an_event_of_an_unknown_type_is_skipped_whatever_else_it_holds(
    wrong: dict[str, object],
) -> None:
    """A search has no item; the right fields of an unknown type are not known here."""
    (got,) = read(event(type="search", **wrong))
    assert (got.type, got.known) == ("search", False)
    (got,) = read(json.dumps({"type": "page_view"}).encode())
    assert (got.user, got.type, got.known) == ("", "page_view", False)


@pytest.mark.parametrize("named", [{}, {"type": None}, {"type": ""}])
def test_a_type_that_nothing_implies_is_not_to_be_left_out(named: dict[str, object]) -> None:
    """It would count nothing without any message."""
    without = event()
    del without["type"]
    with pytest.raises(BadEventError) as caught:
        read({**without, **named}, reader=EventReader(RULES, "events"))
    assert caught.value.code == "invalid_type"


def test_an_integer_id_is_its_decimal_string_and_unknown_fields_are_ignored() -> None:
    """Ids are strings; an integer is taken as one."""
    (got,) = read(event(user_id=42, item_id=-7, price=9.99, tags=["a"]), key=b"42")
    assert (got.user, got.item) == ("42", "-7")


BAD = {
    "null_value": None,
    "too_large": b'"' + b"x" * 1_048_576 + b'"',
    "schema_registry_frame": b"\0\0\0\0\7{}",
    "not_utf8": b'{"user_id": "\xff"}',
    "not_json": b"{",
    "not_finite": b'{"user_id": "u1", "item_id": "i", "ts": NaN}',
    "too_deep": b"[" * 10_000,
    "not_an_event": b'"hello"',
    "missing_id": event(user_id=""),
    "invalid_id": event(item_id=1.5),
    "id_too_long": event(item_id="é" * 257),
    "invalid_type": event(type=3),
    "invalid_items": {"user_id": "u1", "items": {}},
    "order_too_large": {"user_id": "u1", "items": [{"item_id": n} for n in range(201)]},
    "other_format": {"userId": "u1", "type": "track", "event": "Product Viewed", "properties": {}},
    "invalid_ts": event(ts="yesterday"),
    "ts_out_of_range": event(ts=0),
    "key_mismatch": event(user_id="u2"),
}


def test_every_code_has_an_example_here() -> None:
    """The list of codes is closed: each is documented and each is reachable."""
    assert set(BAD) == set(CODES)


@pytest.mark.parametrize("code", BAD)
def test_each_kind_of_bad_event_has_its_own_code(code: str) -> None:
    """The code names the fault, and the message never quotes the payload."""
    value = BAD[code]
    raw = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
    record = Record(raw)
    (refusal,) = READER.read([record], Sink())
    assert (refusal.record, refusal.value, refusal.code) == (record, raw, code)
    assert "sku-9" not in refusal.message


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"", "not_json"),
        (b"\xef\xbb\xbf{}", "not_json"),
        (b'{"a":' * 10_000, "too_deep"),
        (b'{"ts": 1e999}', "not_finite"),
        (b'{"ts": -Infinity}', "not_finite"),
        (event(user_id=None), "missing_id"),
        (event(user_id=True), "invalid_id"),
        (event(user_id=10**30), "key_mismatch"),
        (b'{"item_id": 1' + b"0" * 5_000 + b', "user_id": "u1"}', "id_too_long"),
        (event(item_id=1e30), "invalid_id"),
        (event(user_id="\ud800"), "not_json"),
        (event(ts=True), "invalid_ts"),
        (event(ts={}), "invalid_ts"),
        (event(ts="9999-12-31T23:59:59Z"), "ts_out_of_range"),
        (event(ts="0001-01-01T00:00:00+14:00"), "ts_out_of_range"),
        (event(ts=NOW + 86_401), "ts_out_of_range"),
        ([1], "not_an_event"),
        ([[event()]], "not_an_event"),
        ({"events": {}}, "missing_id"),
    ],
)
def test_the_corners_of_bad_input(value: object, code: str) -> None:
    """A value that is nearly right is refused with the most helpful code."""
    with pytest.raises(BadEventError) as caught:
        read(value)
    assert caught.value.code == code


def test_a_record_without_key_is_a_key_mismatch_unless_that_is_accepted() -> None:
    """The setting decides; the user's partition is found by the user id either way."""
    with pytest.raises(BadEventError):
        read(event(), key=None)
    accepting = EventReader(replace(RULES, check_keys=False), "clicks")
    assert read(event(), key=None, reader=accepting)[0].user == "u1"


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_a_bad_event(value: bytes) -> None:
    """The reader survives any input."""
    assert outcome(value) in {"read", *CODES}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["user_id", "item_id", "type", "ts", "events"]) | st.text(max_size=3),
        inner, max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip


@given(json_values)
def test_any_json_is_an_event_or_a_bad_event(value: object) -> None:
    """Undocumented shapes have a code too."""
    assert outcome(json.dumps(value).encode()) in {"read", *CODES}


def test_a_bad_element_is_cut_out_byte_for_byte() -> None:
    """The dead letter is the input, white space included."""
    elements = [b'{"user_id": "u1" }', b"[1,  2]", b'"x"']
    array = b"[ " + b" ,\n".join(elements) + b"]"
    assert [RawParts(array).at((place,)) for place in range(3)] == elements
    whole = RawParts(b'{"v": 1, "events": ' + array + b"}")
    assert [whole.at(("events", place)) for place in range(3)] == elements
    assert RawParts(elements[0]).at(()) == elements[0]


@pytest.mark.parametrize("whole", [b"[%b]", b'{"events": [%b]}'])
def test_a_bad_element_is_cut_out_however_deeply_it_is_nested(whole: bytes) -> None:
    """Only the bad element becomes a dead letter; good elements count."""
    deep = b'{"user_id": "u1", "item_id": 1.5, "x": ' + b"[" * 1_010 + b"]" * 1_010 + b"}"
    value = whole % b",".join([deep, json.dumps(event()).encode()])
    sink = Sink()
    (refusal,) = READER.read([Record(value)], sink)
    assert (refusal.code, refusal.value) == ("invalid_id", deep)
    assert [one.item for one in sink.events] == [event()["item_id"]]


@given(json_values)
def test_the_refused_elements_of_any_json_are_parts_of_it(value: object) -> None:
    """In any shape, the refused part can be written to the dead letters."""
    raw = json.dumps(value).encode()
    for refusal in READER.read([Record(raw)], Sink()):
        assert refusal.value is not None
        assert refusal.value in raw


def test_an_event_without_a_time_in_a_record_without_one_is_refused() -> None:
    """Kafka says -1 of such a record; the message says what is missing."""
    event = {"user_id": "u1", "item_id": "a", "type": "click"}
    record = Record(json.dumps(event).encode(), timestamp=-1)
    (refusal,) = READER.read([record], Sink())
    assert refusal.code == "ts_out_of_range"
    assert refusal.message == "ts is left out, and the record has no time"


@pytest.mark.parametrize(
    ("at_ms", "ahead_s", "taken"),
    [(0, 86_400, True), (0, 86_401, False), (86_400_000, 90_000, True), (-400_000_000, 0, False)],
)
def test_the_time_of_its_record_bounds_an_event(at_ms: int, ahead_s: float, taken: bool) -> None:
    """Whenever it is read, so a rebuild and an audit decide as the worker did."""
    at = int(NOW * 1000) + at_ms
    record = Record(json.dumps(event(ts=NOW + ahead_s)).encode(), timestamp=at)
    assert [one.code for one in READER.read([record], Sink())] == (
        [] if taken else ["ts_out_of_range"]
    )


def test_an_event_of_a_record_without_a_time_is_refused() -> None:
    """Nothing bounds its time, and the clock of the worker decides nothing."""
    (refusal,) = READER.read([Record(json.dumps(event()).encode(), timestamp=-1)], Sink())
    assert refusal.code == "ts_out_of_range"
    assert refusal.message == "the record has no timestamp to compare ts with"
