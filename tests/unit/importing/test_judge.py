"""What counts in a file: the same as in the app, for whole columns and row by row."""

from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.importing.judge import Accepted, Judge
from streamapp.importing.mapping import FieldMapping
from streamapp.importing.router import Router
from streamapp.importing.source import Portion
from tests.unit.importing.reading import Interactions, settings

IDS = st.sampled_from(["u", "7", "", 'q"\\', "é", " ", "\x00", "x" * 512, "x" * 513, "é" * 300])
TYPES = st.sampled_from([
    "click", "purchase", "refund", "forget", "hide", "remove_from_cart", "fly", "", " click ",
])  # fmt: skip
TIMES = st.sampled_from([
    "1700000000", "1700000000.25", "1700000000123", "1700000000123456789",
    "2023-11-14 22:13:20 UTC", "-1", "x", "nan", "inf", "9e30", "2999-01-01", " 1700000000 ",
])  # fmt: skip
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "user_id": IDS,
            "item_id": IDS,
            "type": st.one_of(st.just("click"), TYPES),
            "ts": st.one_of(st.just("1700000000.5"), TIMES),
            "order_id": st.sampled_from(["", "o1", "x" * 600]),
            "anonymous_id": st.sampled_from(["", "a"]),
        }
    ),
    min_size=1,
    max_size=12,
)


def judged(
    columns: dict[str, Any], mapping: FieldMapping | None = None, **others: Any
) -> tuple[Judge, Accepted]:
    """Judge columns, or the elements of JSON lines."""
    judge = Judge(settings(), Router(settings(), None), mapping or FieldMapping())
    portion = Portion(columns, others.get("elements", ()), others.get("unreadable", ()), 0, 1)
    return judge, judge.take(portion, encodes=True)


@given(ROWS)
def test_columns_and_elements_are_judged_as_the_app_judges_them(rows: list[dict[str, str]]) -> None:
    """The counts are those of the app, and what is sent is read as the rows would be."""
    app = Interactions(settings(), map(orjson.dumps, rows))
    columns = {name: pa.array([row[name] for row in rows]) for name in rows[0]}

    for judge, accepted in (judged(columns), judged({}, elements=rows)):
        assert judge.tally.skipped == app.skipped
        assert judge.tally.refused == app.refused
        assert judge.tally.counted == len(accepted.values) == len(app.found)
        sent = Interactions(settings(), accepted.values)
        assert sent.found == app.found
        assert accepted.keys == [user.encode() for user, *_ in app.found]


@given(ROWS)
def test_a_check_counts_what_is_sent_later(rows: list[dict[str, str]]) -> None:
    """It encodes nothing."""
    columns = {name: pa.array([row[name] for row in rows]) for name in rows[0]}
    sending, accepted = judged(columns)
    checking = Judge(settings(), Router(settings(), None), FieldMapping())

    assert not checking.take(Portion(columns, (), (), 0, 1), encodes=False).values
    assert checking.tally.counted == sending.tally.counted == len(accepted.values)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (pa.array([1_700_000_000, 1_700_000_000_123]), [1_700_000_000.0, 1_700_000_000.123]),
        (pa.array([1_700_000_000.5]), [1_700_000_000.5]),
        (pa.array([1_700_000_000_123_456_789], pa.timestamp("ns")), [1_700_000_000.1234567]),
        (pa.array([1_700_000_000_123], pa.timestamp("ms", "UTC")), [1_700_000_000.123]),
        (pa.array([19_675], pa.int32()).cast(pa.date32()), [1_699_920_000.0]),
        (pa.array(["2023-11-14"]).dictionary_encode(), [1_699_920_000.0]),
    ],
)
def test_times_of_any_column_are_seconds(times: Any, expected: list[float]) -> None:
    """Numbers say their unit by their size, and types of Parquet say theirs."""
    size = len(times)
    _, accepted = judged({
        "user_id": pa.array([1] * size), "item_id": pa.array(["a"] * size).dictionary_encode(),
        "type": pa.array(["click"] * size), "ts": times,
    })  # fmt: skip
    assert [orjson.loads(value)["ts"] for value in accepted.values] == expected
    assert accepted.keys == [b"1"] * size


def test_ids_that_are_neither_text_nor_integers_are_refused() -> None:
    """As in the app; a float such as 7.0 may have been another id once."""
    judge, accepted = judged({
        "user_id": pa.array([7.0]), "item_id": pa.array(["a"]), "type": pa.array(["click"]),
        "ts": pa.array([1_700_000_000]),
    })  # fmt: skip
    assert not accepted.values
    assert judge.tally.refused == {"invalid_id": 1}
    message, example = judge.tally.examples["invalid_id"]
    assert message == "user_id is neither a string nor an integer"
    assert orjson.loads(example)["user_id"] == 7.0


def test_a_column_of_orders_that_are_floats_holds_no_orders() -> None:
    """Programs make floats of integers beside missing values; the events count."""
    _, accepted = judged({
        "user_id": pa.array(["u", "v"]), "item_id": pa.array(["a", "b"]),
        "type": pa.array(["purchase"] * 2), "ts": pa.array([1_700_000_000] * 2),
        "order_id": pa.array([None, 4.0]),
    })  # fmt: skip
    found = Interactions(settings(), accepted.values).found
    assert [(user, order) for user, _, _, _, order in found] == [("u", 0.0), ("v", 0.0)]


def test_an_event_without_a_time_column_counts_when_it_is_sent() -> None:
    """Its record has the time."""
    _, accepted = judged(
        {"user_id": pa.array(["u"]), "item_id": pa.array(["a"])},
        FieldMapping(fixed_type="purchase"),
    )
    assert accepted.values == [b'{"user_id":"u","item_id":"a","type":"purchase"}']


def test_json_lines_of_other_formats_are_sent_as_flat_events() -> None:
    """A line is read in the format that it looks like; ids of any size stay whole."""
    segment = {
        "type": "track", "event": "Product Viewed", "userId": "u",
        "timestamp": "2023-11-14T00:00:00Z", "properties": {"product_id": "p"},
    }  # fmt: skip
    flat = {"user_id": 2**70, "item_id": "a", "type": "click", "ts": 1_700_000_000}
    judge, accepted = judged({}, elements=[segment, [flat, 5], {"events": [flat]}])

    assert judge.tally.counted == 3
    assert judge.tally.refused == {"not_an_event": 1}
    found = Interactions(settings(), accepted.values).found
    wide = str(2**70)
    assert [one[:2] for one in found] == [("u", "p"), (wide, "a"), (wide, "a")]
    assert accepted.keys == [b"u", wide.encode(), wide.encode()]


def test_a_line_that_no_event_was_found_in_is_a_refusal() -> None:
    """The report shows its text."""
    judge, _ = judged({}, unreadable=[("not_json", "{broken\n"), ("not_json", "[")])
    assert judge.tally.refused == {"not_json": 2}
    assert judge.tally.examples == {"not_json": ("not_json", "{broken")}
