"""Files of events: formats, columns and encodings, recognised or named; what is malformed."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from pyarrow import parquet

from streamapp.errors import ConfigError
from streamapp.eventlog.readable import readable
from streamapp.importing.csv_source import CsvForm
from streamapp.importing.files import source_of
from streamapp.importing.judge import Judge
from streamapp.importing.mapping import FieldMapping
from streamapp.importing.presets import preset
from streamapp.importing.router import Router
from tests.unit.importing.reading import Interaction, Interactions, settings

ANN: Interaction = ("ann", "tent", "click", 1_700_000_000.0, 0.0)


def read(
    path: Path,
    mapping: FieldMapping | None = None,
    form: CsvForm | None = None,
    name: str = "",
) -> tuple[list[Interaction], Judge]:
    """Check a file and read it; return what the app would make of it."""
    mapping = mapping or FieldMapping()
    judge, values = Judge(settings(), Router(settings(), None), mapping), []
    source = source_of(path, name, mapping, form or CsvForm())
    with readable(path):
        source.check()
        for portion in source.portions():
            values += judge.take(portion, encodes=True).values
    return Interactions(settings(), values).found, judge


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    """Write a file; return its path."""
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("by", [",", ";", "\t", "|"])
def test_delimiter_and_encoding_are_recognised(tmp_path: Path, by: str, encoding: str) -> None:
    """As for the logs of the audit."""
    lines = [by.join(("TS", "User_id", "item_id", "type")),
             by.join(("1700000000", "ann", "tent", "click"))]  # fmt: skip
    assert read(written(tmp_path / "a.csv", "\r\n".join(lines), encoding))[0] == [ANN]


def test_delimiter_encoding_header_and_format_can_be_named(tmp_path: Path) -> None:
    """Then nothing is recognised."""
    path = written(tmp_path / "events.dump", "José~tent~click~1700000000\n", "cp1252")
    form = CsvForm("~", "cp1252", "user_id,item_id,type,ts")
    assert read(path, form=form, name="csv")[0] == [("José", *ANN[1:])]


def test_the_delimiter_of_a_file_without_a_header_is_recognised(tmp_path: Path) -> None:
    """It is the most frequent one in the first line, and every line is an event."""
    path = written(tmp_path / "a.csv", "ann|tent|click|1700000000\nann|tent|click|1700000000\n")
    assert read(path, form=CsvForm(header="user_id,item_id,type,ts"))[0] == [ANN, ANN]


def test_a_first_line_of_excel_names_the_delimiter(tmp_path: Path) -> None:
    """And blank lines are no events; neither is a header alone."""
    text = "sep=;\nuser_id;item_id;type;ts\n\nann;tent;click;1700000000\n\n"
    assert read(written(tmp_path / "a.csv", text))[0] == [ANN]
    assert read(written(tmp_path / "b.csv", "user_id,item_id,type,ts\n"))[0] == []


def test_quoted_fields_hold_delimiters_quotes_and_line_ends(tmp_path: Path) -> None:
    """Compressed, too."""
    path = tmp_path / "a.csv.gz"
    text = 'user_id,item_id,type,ts\nann,"a, ""b""\nc",click,1700000000\n'
    path.write_bytes(gzip.compress(text.encode()))
    assert read(path)[0] == [("ann", 'a, "b"\nc', "click", 1_700_000_000.0, 0.0)]


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (['ann,"tent,click,1', "ben,tent,click,1"], 4),
        (['ann,"tent"x,click,1'], 4),
        (['ann,"tent,click,1', 'ben,tent,click,1"'], 4),
        (["ann,tent,click,1", '"ben,tent,click,1', 'ben",tent,click,1'], 5),
    ],
)
def test_a_malformed_quote_names_the_line_where_it_opens(
    tmp_path: Path, rows: list[str], line: int
) -> None:
    """Before anything is sent."""
    above = ["user_id,item_id,type,ts", 'ann,"two', 'lines",click,1700000000']
    path = written(tmp_path / "a.csv", "\n".join([*above, *rows]) + "\n")
    source = source_of(path, "", FieldMapping(), CsvForm())
    with pytest.raises(ConfigError, match=rf"a\.csv, line {line}: .*a quote"):
        source.check()


def test_a_row_of_another_width_is_refused_alone(tmp_path: Path) -> None:
    """Also behind the last good row."""
    text = "user_id,item_id,type,ts\nann,tent\nann,tent,click,1700000000\na,b,c,d,e\n"
    found, judge = read(written(tmp_path / "a.csv", text))
    assert found == [ANN]
    assert judge.tally.refused == {"2 fields, not 4": 1, "5 fields, not 4": 1}
    assert judge.tally.examples["2 fields, not 4"] == ("2 fields, not 4", "ann,tent")
    assert judge.tally.lines == 3


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_line_that_is_not_utf8_is_named(tmp_path: Path, name: str) -> None:
    """The message says what to do."""
    path = written(tmp_path / name, "user_id,item_id,type,ts\nJosé,tent,click,1\n", "cp1252")
    with pytest.raises(ConfigError, match="line 2: not UTF-8, perhaps Windows-1252"):
        read(path)


@pytest.mark.parametrize(
    ("name", "content", "mapping", "form", "message"),
    [
        ("a.csv", b"user_id,item,type,ts\n", {}, {}, "no column item_id among user_id, item, type"),
        ("a.csv", b"item_id,type,ts\n", {}, {}, "no column user_id"),
        ("a.csv", b"", {}, {}, "no column item_id, type, ts, user_id"),
        ("a.csv", b"user_id,item_id,type,ts\n", {"order_id": "o"}, {}, "no column o among"),
        ("a.parquet", b"PAR1 but no more", {}, {}, "cannot be read as Parquet"),
        ("a.csv.gz", b"\x1f\x8b\x08 but no more", {}, {}, "the file cannot be read"),
        ("a.xlsx", b"", {}, {}, "the name says no format; name one of csv, jsonl, parquet"),
        ("a.csv", b"", {}, {"delimiter": ";;"}, "--delimiter ;;: one character"),
        ("a.csv", b"", {}, {"encoding": "klingon"}, "--encoding klingon: unknown"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    tmp_path: Path,
    name: str,
    content: bytes,
    mapping: dict[str, str],
    form: dict[str, str],
    message: str,
) -> None:
    """It names the file, or the option."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        read(path, FieldMapping(mapping), CsvForm(**form))
    assert "\n" not in str(caught.value)


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """It could be read once only."""
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(ConfigError, match=r"a\.csv: a file on a disk is needed"):
        read(tmp_path / "a.csv")


def test_a_parquet_file_is_read_by_the_names_of_its_columns(tmp_path: Path) -> None:
    """Over several row groups, in order."""
    path, size = tmp_path / "a.parquet", 50_000
    parquet.write_table(
        pa.table({
            "more": pa.array([None] * size, pa.string()),
            "visitor": pa.array(range(size)),
            "item_id": pa.array(["tent", "stove"] * (size // 2)).dictionary_encode(),
            "type": pa.array(["click"] * size),
            "ts": pa.array(range(1_700_000_000, 1_700_000_000 + size), pa.timestamp("s")),
        }),
        path,
        row_group_size=30_000,
    )  # fmt: skip
    found, judge = read(path, FieldMapping({"user_id": "visitor"}))
    assert [one[0] for one in found] == [str(user) for user in range(size)]
    assert found[1] == ("1", "stove", "click", 1_700_000_001.0, 0.0)
    assert judge.tally.lines == judge.tally.counted == size


CLICK, CART, PURCHASE = (("u1", "p1", name) for name in ("click", "add_to_cart", "purchase"))
REES46 = """event_time,event_type,product_id,category_id,brand,price,user_id,user_session
2019-10-01 00:00:00 UTC,view,p1,1,b,2.5,u1,s
2019-10-01 00:00:00 UTC,cart,p1,1,b,2.5,u1,s
"""
OTTO = """{"session":9,"events":[{"aid":5,"ts":1661724000278,"type":"clicks"},
{"aid":5,"ts":1661724000278,"type":"orders"}]}
""".replace("\n", "", 1)
OTTO_CSV = """session,aid,ts,type
u1,p1,1661724000,carts
"""
RETAILROCKET = """timestamp,visitorid,event,itemid,transactionid
1433221332117,u1,view,p1,
1433221332117,u1,transaction,p1,4
"""
INSTACART = """order_id,product_id,add_to_cart_order,reordered
u1,p1,1,1
"""
HM = """t_dat,customer_id,article_id,price,sales_channel_id
2018-09-20,u1,0663713001,0.05,2
"""


@pytest.mark.parametrize(
    ("name", "file", "text", "expected"),
    [
        ("rees46", "a.csv", REES46, [CLICK, CART]),
        ("otto", "a.jsonl", OTTO, [("9", "5", "click"), ("9", "5", "purchase")]),
        ("otto", "a.csv", OTTO_CSV, [CART]),
        ("retailrocket", "a.csv", RETAILROCKET, [CLICK, PURCHASE]),
        ("instacart", "a.csv", INSTACART, [PURCHASE]),
        ("hm", "a.csv", HM, [("u1", "0663713001", "purchase")]),
    ],
)
def test_a_preset_reads_the_files_of_its_data_set(
    tmp_path: Path, name: str, file: str, text: str, expected: list[tuple[str, ...]]
) -> None:
    """The columns and the types have the names that its publisher gives them."""
    found, judge = read(written(tmp_path / file, text), preset(name))
    assert [one[:3] for one in found] == expected
    assert not judge.tally.refused


def test_columns_of_the_command_line_win_over_those_of_a_preset(tmp_path: Path) -> None:
    """An empty name leaves a field out."""
    text = "timestamp,who,itemid\nx,u1,p1\n"
    mapping = preset("retailrocket").changed("user_id=who, ts=,order_id=", "click")
    assert read(written(tmp_path / "a.csv", text), mapping)[0][0][:3] == CLICK
    lines: Any = orjson.dumps({"timestamp": "x", "who": "u1", "itemid": "p1"}).decode()
    assert read(written(tmp_path / "a.jsonl", lines), mapping)[0][0][:3] == CLICK


@pytest.mark.parametrize("columns", ["user_id", "visitor=user_id", "user_id=a,,"])
def test_columns_that_name_no_field_are_refused(columns: str) -> None:
    """The message lists the fields."""
    with pytest.raises(ConfigError, match="field=column is needed, with a field of user_id"):
        FieldMapping().changed(columns, "")


def test_an_unknown_preset_names_the_known_ones() -> None:
    """In one line."""
    with pytest.raises(ConfigError, match="--preset movies: one of rees46, otto"):
        preset("movies")


LINE = {"user_id": "ann", "item_id": "tent", "type": "click", "ts": 1_700_000_000}
ORDER = {"user_id": "ann", "items": [{"item_id": "a"}, {"item_id": "b"}], "type": "purchase"}


@pytest.mark.parametrize(
    "more",
    [
        {},
        LINE | {"order_id": "o", "type": "purchase"},
        LINE | {"price": 2.5},
        LINE | {"user_id": 7},
        LINE | {"user_id": 2**70},
        LINE | {"ts": "2023-11-14"},
        LINE | {"ts": 1_700_000_000.5},
        LINE | {"ts": True},
        LINE | {"user_id": None, "anonymous_id": "a"},
        ORDER | {"ts": 1_700_000_000},
        [LINE, LINE],
    ],
)
def test_lines_of_any_shape_beside_plain_ones_are_read_as_the_app_reads_them(
    tmp_path: Path, more: Any
) -> None:
    """Plain lines are read as columns; others take their neighbours along and change nothing."""
    lines = [json.dumps(one) for one in (LINE, more, LINE)]
    found, judge = read(written(tmp_path / "a.jsonl", "\n".join(lines)))
    app = Interactions(settings(), [line.encode() for line in lines])
    assert found == app.found
    assert judge.tally.refused == app.refused


def test_a_line_that_is_not_json_is_refused_alone(tmp_path: Path) -> None:
    """Blank lines are nothing."""
    good = '{"user_id":"ann","item_id":"tent","type":"click","ts":1700000000}'
    found, judge = read(written(tmp_path / "a.jsonl", f"{good}\n\n{{broken\n{good}\n"))
    assert found == [ANN, ANN]
    assert judge.tally.refused == {"not_json": 1}
    assert judge.tally.examples["not_json"][1] == "{broken"
