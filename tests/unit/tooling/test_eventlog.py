"""Event logs: every form is read alike, and a malformed line is named."""

import gzip
import json
from pathlib import Path

import pytest

from streamapp.errors import ConfigError
from streamapp.eventlog import LoggedEvent, read_log
from tests.support.reading import said

HEADER = "user_id,item_id,type,ts\n"


def zipped(content: bytes) -> bytes:
    """Compress without the time of day, so that every process gives a case the same name."""
    return gzip.compress(content, mtime=0)


def test_csv_needs_four_columns_in_any_order_and_ignores_more(tmp_path: Path) -> None:
    """A real log has an id of its own in front."""
    log = tmp_path / "log.csv"
    log.write_text('event_id,ts,item_id,user_id,type\ne1,1700000000,"a,b",u1,view\n\n')

    assert list(read_log([log])) == [LoggedEvent("u1", "a,b", "view", 1_700_000_000.0)]


def test_an_empty_type_is_left_out(tmp_path: Path) -> None:
    """The topic implies it."""
    log = tmp_path / "log.csv"
    log.write_text(HEADER + "u1,a,,1700000000\n")

    assert [event.type for event in read_log([log])] == [None]


@pytest.mark.parametrize(
    ("text", "ts"),
    [
        ("1700000000", 1_700_000_000.0),
        ("1700000000.25", 1_700_000_000.25),
        ("1700000000250", 1_700_000_000.25),
        ("2023-11-14T22:13:20Z", 1_700_000_000.0),
        ("2023-11-14T22:13:20", 1_700_000_000.0),
        ("2023-11-15T00:13:20+02:00", 1_700_000_000.0),
    ],
)
def test_times_become_seconds(tmp_path: Path, text: str, ts: float) -> None:
    """Seconds, milliseconds and ISO 8601, in CSV and in JSON."""
    log, lines = tmp_path / "log.csv", tmp_path / "log.jsonl"
    log.write_text(f"{HEADER}u1,a,click,{text}\n")
    value = json.dumps(text) if "-" in text else text
    lines.write_text(f'{{"user_id": "u1", "item_id": "a", "ts": {value}}}\n')

    assert [event.ts for event in read_log([log, lines])] == [ts, ts]


def test_json_lines_hold_events_arrays_and_envelopes(tmp_path: Path) -> None:
    """Anything that a tracker may send in one record; unknown fields are ignored."""
    log = tmp_path / "log.ndjson"
    event = {"user_id": "u1", "item_id": 7, "type": "click", "ts": 1_700_000_000, "page": "x"}
    lines = [event, [event, event], {"events": [event]}, {"user_id": "u1"}, []]
    log.write_text("\n".join(map(json.dumps, lines)) + "\n\n")

    whole = LoggedEvent("u1", "7", "click", 1_700_000_000.0)
    assert list(read_log([log])) == [whole] * 4 + [LoggedEvent("u1", "", None, None)]


def test_orders_are_read_where_they_are_logged_whatever_they_are(tmp_path: Path) -> None:
    """An empty column is no order; the rules judge any other value."""
    log, lines = tmp_path / "log.csv", tmp_path / "log.jsonl"
    log.write_text("order_id,user_id,item_id,type,ts\n007,u1,a,buy,1\n,u1,a,buy,1\n")
    event = {"user_id": "u1", "item_id": "a", "ts": 1}
    orders: list[object] = [7, []]
    lines.write_text("\n".join(json.dumps({**event, "order_id": order}) for order in orders))

    assert [event.order_id for event in read_log([log, lines])] == ["007", None, 7, []]


@pytest.mark.parametrize(
    "ts",
    [
        "1700000000000000",
        " 1700000000123456789 ",
        "2019-10-01 00:00:00 UTC",
        "1699999166861",
        "5.5",
    ],
)
def test_a_time_is_read_alike_as_text_as_number_and_in_both_forms(tmp_path: Path, ts: str) -> None:
    """And as the worker reads it."""
    log, lines = tmp_path / "log.csv", tmp_path / "log.jsonl"
    log.write_text(f"{HEADER}u1,a,click,{ts}\n")
    values = [json.dumps(ts), ts] if ts.strip().isdecimal() else [json.dumps(ts)]
    event = '{"user_id": "u1", "item_id": "a", "type": "click", "ts": %s}'
    lines.write_text("\n".join(event % value for value in values))

    worker = said(f"[{','.join(event % value for value in values)}]".encode(), earliest_ts=0.0)
    assert {one.ts for one in read_log([log, lines])} == {one.ts for one in worker.taken}
    assert len({one.ts for one in worker.taken}) == 1


def test_what_is_empty_is_left_out_in_both_forms(tmp_path: Path) -> None:
    """Type, time, order and user; a visitor counts if no user is named."""
    log, lines = tmp_path / "log.csv", tmp_path / "log.jsonl"
    log.write_text("user_id,item_id,type,ts,order_id,anonymous_id\n,a, , ,,v\nu,a,,,,v\n")
    empty = {"item_id": "a", "type": " ", "ts": "", "order_id": None, "anonymous_id": "v"}
    lines.write_text(f"{json.dumps(empty)}\n{json.dumps({**empty, 'user_id': 'u'})}")
    read = [LoggedEvent("v", "a", None, None), LoggedEvent("u", "a", None, None)]
    assert list(read_log([log, lines])) == read * 2


def test_integers_of_any_size_and_titles_cut_in_a_letter_are_read(tmp_path: Path) -> None:
    """As the worker reads them."""
    log = tmp_path / "log.jsonl"
    log.write_text(
        '{"user_id": 123456789012345678901, "item_id": 18446744073709551616, "ts": 1}\n'
        '{"user_id": "u", "item_id": "a", "ts": 1, "title": "tent \\ud83d"}\n'
    )
    assert [(event.user_id, event.item_id) for event in read_log([log])] == [
        ("123456789012345678901", "18446744073709551616"),
        ("u", "a"),
    ]


def test_an_order_is_an_event_for_each_item_and_a_line_without_one_is_for_the_rules(
    tmp_path: Path,
) -> None:
    """As many items of a giant order as count."""
    log = tmp_path / "log.jsonl"
    items = [{"item_id": "a"}, {}, {"item_id": 2**70}, {"item_id": "a"}]
    order = {"user_id": "u", "type": "purchase", "ts": 1, "order_id": "o"}
    giant = [{"item_id": str(number)} for number in range(300)]
    log.write_text(
        f"{json.dumps({**order, 'items': items})}\n{json.dumps({**order, 'items': giant})}"
    )
    events = list(read_log([log]))
    assert [event.item_id for event in events[:3]] == ["a", str(2**70), ""]
    assert len(events) == 3 + 200
    assert {event[:1] + event[2:5] for event in events} == {("u", "purchase", 1.0, "o")}


def test_files_follow_each_other_compressed_or_not(tmp_path: Path) -> None:
    """Their order is the order of the events."""
    first, second = tmp_path / "b.csv.gz", tmp_path / "a.jsonl.gz"
    first.write_bytes(zipped(f"\ufeff{HEADER}u1,a,click,1\n".encode()))
    second.write_bytes(zipped(b'{"user_id": "u2", "item_id": "b", "ts": 2}\n'))

    assert [event.user_id for event in read_log([first, second])] == ["u1", "u2"]


@pytest.mark.parametrize(
    ("name", "content", "line", "hint"),
    [
        ("a.csv", "user_id,item_id,ts\n", 1, "the header lacks type"),
        ("a.csv", "", 1, "the header lacks user_id, item_id, type, ts"),
        ("a.csv", HEADER + "u1,a,click\n", 2, "3 fields under a header of 4"),
        ("a.csv", HEADER + "u1,a,click,1\nu1,a,click,1,5\n", 3, "5 fields"),
        ("a.csv", HEADER + "u1,a,click,yesterday\n", 2, "ts is neither a number nor an ISO 8601"),
        ("a.csv", HEADER + "u1,a,click,nan\n", 2, "ts is not finite"),
        ("a.csv", HEADER + f"u1,{'a' * 200_000},click,1\n", 2, "field larger than field limit"),
        ("a.json", "{}\n{\n", 2, "not JSON"),
        ("a.json", "3\n", 1, "neither an event nor an array"),
        ("a.json", "[[{}]]\n", 1, "neither an event nor an array"),
        ("a.json", '{"price": NaN}\n', 1, "not JSON: a number is NaN"),
        ("a.json", '[{}, {"user_id": 1e400}]\n', 1, "a number is infinity"),
        ("a.json", '{"user_id": "u", "item_id": 1.5}\n', 1, "item_id is neither a string nor"),
        ("a.json", '{"user_id": "u", "items": {}}\n', 1, "items is not an array"),
        ("a.json", '{"user_id": "u", "items": [3]}\n', 1, "a line of items is not a JSON object"),
        ("a.json", '{"user_id": true}\n', 1, "user_id is neither a string nor an integer"),
        ("a.json", '{"type": 3}\n', 1, "type is not a string"),
        ("a.json", '{"ts": []}\n', 1, "ts is neither a number nor an ISO 8601 date"),
        ("a.json", '{"ts": "1700000000,5"}\n', 1, "ts is neither a number nor an ISO 8601 date"),
    ],
)
def test_a_malformed_line_is_named(
    tmp_path: Path, name: str, content: str, line: int, hint: str
) -> None:
    """One line of text: the file, the line and the fault."""
    log = tmp_path / name
    log.write_text(content)

    with pytest.raises(ConfigError, match=hint) as caught:
        list(read_log([log]))
    assert str(caught.value).startswith(f"{log}, line {line}: ")
    assert "\n" not in str(caught.value)


def test_a_line_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    """Although the file is decoded in larger pieces."""
    log = tmp_path / "log.csv"
    log.write_bytes(HEADER.encode() + b"u1,a,click,1\n" * 20 + b"u1,\xff,click,1\n")

    with pytest.raises(ConfigError, match="line 22: not UTF-8"):
        list(read_log([log]))


@pytest.mark.parametrize(
    ("name", "content", "hint"),
    [
        ("a.csv", None, "cannot be read: No such file"),
        ("a.csv.gz", b"no gzip", "cannot be read: Not a gzipped file"),
        ("a.csv.gz", zipped(HEADER.encode())[:-9], "cannot be read"),
        ("a.parquet", b"", "ends in one of .csv, .jsonl, .ndjson, .json"),
        ("a.gz", b"", "ends in one of"),
    ],
)
def test_a_file_that_is_no_log_is_named(
    tmp_path: Path, name: str, content: bytes | None, hint: str
) -> None:
    """Missing, cut off, or of an unknown kind."""
    log = tmp_path / name
    if content is not None:
        log.write_bytes(content)

    with pytest.raises(ConfigError, match=hint) as caught:
        list(read_log([log]))
    assert str(log) in str(caught.value)
    assert caught.value.exit_code == 2


ROWS = [LoggedEvent("u1", "tent", "click", 1_700_000_000.0)]
TEXT = "user_id,item_id,type,ts\nu1,tent,click,1700000000\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bom-crlf.csv", TEXT.replace("\n", "\r\n").encode("utf-8-sig")),
        ("cr.csv", TEXT.replace("\n", "\r").encode()),
        ("utf16.csv", TEXT.encode("utf-16")),
        ("utf16-be.csv", b"\xfe\xff" + TEXT.encode("utf-16-be")),
        ("utf16-no-mark.csv", TEXT.encode("utf-16-le")),
        ("utf16-be-no-mark.csv", TEXT.encode("utf-16-be")),
        ("semicolon.csv", TEXT.replace(",", ";").encode()),
        ("bar.csv", TEXT.replace(",", "|").encode()),
        ("tab.csv", TEXT.replace(",", "\t").encode()),
        ("tab.tsv", TEXT.replace(",", "\t").encode()),
        ("sep.csv", b"sep=,\r\n" + TEXT.encode()),
        ("sep-semicolon.csv", b'"sep=;"\r\n' + TEXT.replace(",", ";").encode()),
        ("case.csv", b"USER_ID,Item_Id,TYPE,Ts\nu1,tent,click,1700000000\n"),
        ("spaces.csv", b"user_id, item_id , type, ts\nu1,tent,click,1700000000\n"),
        ("EVENTS.CSV", TEXT.encode()),
        ("EVENTS.CSV.GZ", zipped(TEXT.encode())),
        ("members.csv.gz", zipped(TEXT[:30].encode()) + zipped(TEXT[30:].encode())),
        ("twice.csv", b"user_id,item_id,type,ts,ts\nu1,tent,click,1700000000,18\n"),
        (
            "rees46.csv",
            b"event_time,event_type,product_id,user_id\n2023-11-14 22:13:20 UTC,click,tent,u1\n",
        ),
        ("array.json", b'[{"user_id":"u1","item_id":"tent","type":"click","ts":1700000000}]'),
        ("LINES.JSONL", b'{"user_id":"u1","item_id":"tent","type":"click","ts":1700000000}\r\n'),
    ],
)
def test_files_are_read_as_spreadsheets_and_exports_write_them(
    tmp_path: Path, name: str, content: bytes
) -> None:
    """Encoding, delimiter and names of columns are recognised where only one reading fits."""
    log = tmp_path / name
    log.write_bytes(content)
    assert list(read_log([log])) == ROWS


@pytest.mark.parametrize(
    ("name", "content", "hint"),
    [
        ("twice.csv.gz", zipped(zipped(TEXT.encode())), "more than its name says"),
        ("plain.csv", zipped(TEXT.encode()), "compressed with gzip"),
        ("book.csv", b"PK\x03\x04rest", "a zip archive or a workbook"),
        (
            "latin.csv",
            TEXT.replace("tent", "caf\u00e9").encode("cp1252"),
            "line 2: not UTF-8, perhaps",
        ),
        ("odd.csv", TEXT.encode("utf-16") + b"x", "not utf-16"),
        ("pretty.json", json.dumps([{}], indent=1).encode(), "line 1: .* must be in one line"),
        ("other.csv", b"user:item:type:ts\n", "lacks .*; it is 'user:item:type:ts'"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_what_was_found(
    tmp_path: Path, name: str, content: bytes, hint: str
) -> None:
    """And with what to do about it, in one line."""
    log = tmp_path / name
    log.write_bytes(content)
    with pytest.raises(ConfigError, match=hint) as caught:
        list(read_log([log]))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("above", ["", "sep=,\n"])
@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ('u1,"19in screen,click,1\nu2,a 24" screen",click,2\nu3,a,click,3\n', 2),
        ('u1,"19in screen,click,1\nu2,a 24",click,2\nu3,a,click,3\n', 2),
        ('u0,a,click,0\nu1,"19in,click,1\nu2,a,click,2\nu3,a,click,3\n', 3),
        ('u0,"b\nc",click,0\nu1,"19in" b,click,1\n', 4),
        ('u0,"b ""c"" d\ne","click,0\nu2,a,click,2\n', 3),
        ('u0,"b\nc",click,0,1\n', 2),
    ],
)
def test_a_stray_quote_is_named_by_the_line_in_which_it_opens(
    tmp_path: Path, above: str, rows: str, line: int
) -> None:
    """It would make one row of several, and nothing would say so."""
    log = tmp_path / "log.csv"
    log.write_text(above + HEADER + rows)
    with pytest.raises(ConfigError, match=f"line {line + bool(above)}: .* quote"):
        list(read_log([log]))


def test_a_line_end_and_a_quote_may_lie_in_a_quoted_field(tmp_path: Path) -> None:
    """As the standard of CSV has it; a quote inside a field that begins without one is a letter."""
    log = tmp_path / "log.csv"
    log.write_text(
        HEADER + 'u1,"two\nlines",click,1\nu1,"a ""b"", c",click,1\nu1,a 24" b,click,1\n'
    )
    assert [event.item_id for event in read_log([log])] == ["two\nlines", 'a "b", c', 'a 24" b']
