"""Feeds in four formats: which items they describe, and what ends them."""

import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from streamapp.errors import ConfigError
from streamapp.eventlog.readable import readable
from streamapp.feeds.formats import reader_of
from streamapp.feeds.row import FeedRow, UnreadableRow

RSS = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>
<title>Shop</title><link>https://shop.example</link>
<item><title>Plain</title><g:title> Tent &amp; pole </g:title><g:id>7</g:id>
  <g:product_type>Outdoor &gt; Tents</g:product_type><g:product_type>Sale</g:product_type>
  <g:google_product_category>499</g:google_product_category>
  <g:availability>in_stock</g:availability><g:shipping><g:id>no item</g:id></g:shipping></item>
<item><title>Stove</title><g:id>8</g:id><g:availability>out of stock</g:availability>
  <g:google_product_category>499</g:google_product_category></item>
</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">
<entry><id>https://shop.example/7</id><g:id>7</g:id><title>Tent</title></entry>
<entry><id>https://shop.example/8</id><title>Stove</title></entry></feed>"""

PRODUCTS = [
    {"id": 7, "title": "Tent", "product_type": "tents",
     "variants": [{"available": False}, {"available": True}]},
    {"id": "gid://shopify/Product/8", "title": "Stove", "variants": [{"available": False}]},
    {"id": 9, "title": "Draft", "status": "draft", "variants": [{"available": True}]},
    {"id": 10, "title": "Unpublished", "published_at": None},
    {"id": 11, "title": "Empty", "variants": [
        {"inventory_quantity": 0, "inventory_policy": "deny", "inventory_management": "shopify"}]},
    {"id": 12, "title": "Goes on", "variants": [
        {"inventory_quantity": -2, "inventory_policy": "continue"}]},
    {"id": 13, "title": "Uncounted", "variants": [
        {"inventory_quantity": 0, "inventory_policy": "deny", "inventory_management": None}]},
]  # fmt: skip
SOLD = [True, False, False, False, False, True, True]

EXPORT = """\
Handle,Title,Body (HTML),Type,Product Category,Published,Option1 Value,Variant Inventory Tracker,\
Variant Inventory Qty,Variant Inventory Policy,Variant Price,Image Src,Status
tent,Tent,"two
lines",tents,Sporting > Tents,true,S,shopify,0,deny,10,a.jpg,active
tent,,,,,,M,shopify,3,deny,10,b.jpg,
tent,,,,,,,,,,,c.jpg,
stove,Stove,,,Sporting > Stoves,true,S,shopify,-1,deny,10,,active
stove,,,,,,,,,,,d.jpg,
lamp,Lamp,,,,true,,,0,deny,10,,active
rope,Rope,,,,true,,shopify,0,continue,10,,active
card,Card,,,,true,,shopify,,deny,10,,active
old,Old,,,,true,,,,,10,,archived
hidden,Hidden,,,,false,,,,,10,,active
"""


def rows(path: Path, content: str | bytes, name: str) -> list[FeedRow | UnreadableRow]:
    """Write a feed, and return what is read."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with readable(path):
        return list(reader_of(name)(path))


def items(found: list[FeedRow | UnreadableRow]) -> list[tuple[Any, ...]]:
    """Return the items without their places."""
    return [tuple(row)[1:] for row in found]


def test_google_items_are_read_by_the_elements_of_its_namespace(tmp_path: Path) -> None:
    """A plain title stands in; the first type wins over Google's category; inner ids are none."""
    found = rows(tmp_path / "feed.xml", RSS, "google")
    assert items(found) == [
        ("7", "Tent & pole", "Outdoor > Tents", "in_stock"),
        ("8", "Stove", "499", "out of stock"),
    ]
    assert [row.place for row in found] == ["item 1", "item 2"]
    assert rows(tmp_path / "feed.xml.gz", gzip.compress(RSS.encode()), "google") == found
    utf16 = RSS.replace("utf-8", "utf-16").encode("utf-16")
    assert rows(tmp_path / "feed.xml", utf16, "google") == found


def test_the_address_of_an_atom_entry_is_no_id(tmp_path: Path) -> None:
    """An entry without an id of its own has none."""
    found = rows(tmp_path / "feed.xml", ATOM, "google")
    assert items(found) == [("7", "Tent", None, None), (None, "Stove", None, None)]


def test_google_text_with_tabs_is_a_table(tmp_path: Path) -> None:
    """Names of columns may have spaces and the namespace."""
    text = "g:id\ttitle\tproduct type\tavailability\n7\tTent, 2\ttents\tin stock\n8\tx\n"
    found = rows(tmp_path / "feed.txt", text, "google")
    assert items(found[:1]) == [("7", "Tent, 2", "tents", "in stock")]
    assert found[1] == UnreadableRow("line 3", "wrong_width", "2 fields, not 4", "8\tx", "8")


@pytest.mark.parametrize("attack", [
    '<!DOCTYPE rss [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>',
    '<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    '<!DOCTYPE rss SYSTEM "http://shop.example/rss.dtd">',
])  # fmt: skip
def test_xml_with_a_document_type_is_refused(tmp_path: Path, attack: str) -> None:
    """Entities blow up, and external ones read files."""
    with pytest.raises(ConfigError, match=r"feed.xml: the XML declares a document type"):
        rows(tmp_path / "feed.xml", f"{attack}<rss><item/></rss>", "google")


def test_malformed_xml_is_refused_with_its_line(tmp_path: Path) -> None:
    """Also one that ends early, whose items would seem to be gone."""
    with pytest.raises(ConfigError, match=r"feed.xml, line 10: the XML is malformed"):
        rows(tmp_path / "feed.xml", RSS[: RSS.index("</channel>")], "google")


@pytest.mark.parametrize("encoding", ["klingon", "shift_jis"])
def test_xml_in_an_encoding_that_is_not_read_is_refused(tmp_path: Path, encoding: str) -> None:
    """In one line, whether the encoding exists or not."""
    text = RSS.replace("utf-8", encoding)
    with pytest.raises(ConfigError, match=r"feed.xml: the encoding of the XML cannot be read"):
        rows(tmp_path / "feed.xml", text, "google")


def test_memory_does_not_grow_with_a_document(tmp_path: Path) -> None:
    """Elements of items and beside them are dropped as they are read."""
    item = f"<item><g:id>7</g:id><g:title>{'x' * 400}</g:title></item><other><b/></other>\n"
    peaks = []
    for count in (200, 20_000):
        path = tmp_path / "feed.xml"
        path.write_text(RSS.replace("</channel>", item * count + "</channel>"))
        tracemalloc.start()
        try:
            assert sum(1 for _ in reader_of("google")(path)) == count + 2
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < peaks[0] + 300_000


def test_a_shopify_product_is_sold_if_one_of_its_variants_is(tmp_path: Path) -> None:
    """As the shop and as its administration show products; an item is a product."""
    page = json.dumps({"products": PRODUCTS})
    found = rows(tmp_path / "products.json", page, "shopify")
    assert [row[4] for row in items_with_place(found)] == SOLD
    assert items(found[:2]) == [(7, "Tent", "tents", True), ("8", "Stove", None, False)]


def test_pages_of_shopify_may_follow_each_other(tmp_path: Path) -> None:
    """One file holds all products of a large shop."""
    pages = "\n".join(json.dumps({"products": some}) for some in (PRODUCTS[:3], [], PRODUCTS[3:]))
    found = rows(tmp_path / "products.json", pages, "shopify")
    assert [row[4] for row in items_with_place(found)] == SOLD
    assert rows(tmp_path / "products.json", json.dumps(PRODUCTS), "shopify") == found


def items_with_place(found: list[FeedRow | UnreadableRow]) -> list[tuple[Any, ...]]:
    """Return rows as tuples."""
    return [tuple(row) for row in found]


def test_rows_of_a_shopify_export_are_merged_to_products(tmp_path: Path) -> None:
    """Variants and images follow their product; unknown stock is stock."""
    found = rows(tmp_path / "products.csv", EXPORT, "shopify")
    assert items(found) == [
        ("tent", "Tent", "tents", True),
        ("stove", "Stove", "Sporting > Stoves", False),
        ("lamp", "Lamp", "", True),
        ("rope", "Rope", "", True),
        ("card", "Card", "", True),
        ("old", "Old", "", False),
        ("hidden", "Hidden", "", False),
    ]
    assert found[0].place == "line 3"


def test_the_names_of_newer_shopify_exports_are_known(tmp_path: Path) -> None:
    """A column of ids wins over the handle."""
    export = (
        "Title,URL handle,ID,Type,Status,Published on online store,Price,Inventory tracker,"
        "Inventory quantity,Continue selling when out of stock\n"
        "Tent,tent,7,tents,Active,TRUE,10,shopify,0,FALSE\n"
        "Stove,stove,8,,Active,TRUE,10,shopify,0,TRUE\n"
    )
    found = rows(tmp_path / "products.csv", export, "shopify")
    assert items(found) == [("7", "Tent", "tents", False), ("8", "Stove", "", True)]


def test_columns_of_csv_have_several_names(tmp_path: Path) -> None:
    """In any case and with any delimiter; ids stay text."""
    assert items(rows(tmp_path / "a.csv", "SKU;Name\n007;Tent\n\n", "csv")) == [
        ("007", "Tent", None, None)
    ]
    text = "item_id,id,category,availability\na,b,tents,false\n"
    assert items(rows(tmp_path / "a.csv", text, "csv")) == [("a", None, "tents", "false")]


def test_lines_of_json_are_read_alone(tmp_path: Path) -> None:
    """A line that is no object is unreadable, and ids keep all their digits."""
    text = (
        f'{{"item_id": {2**70 + 1}, "title": "Tent", "available": false}}\n'
        '\n{"id": "a", "price": 1}\n[]\n{"id": \n'
    )
    found = rows(tmp_path / "a.jsonl", text, "jsonl")
    assert items(found[:2]) == [(2**70 + 1, "Tent", None, False), ("a", None, None, None)]
    assert [(row.place, row.code) for row in found[2:] if isinstance(row, UnreadableRow)] == [
        ("line 4", "not_an_object"), ("line 5", "not_json"),
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "message"), [
    ("csv", "name,price\nTent,1\n", "there is no column item_id or id"),
    ("google", "name\tprice\n", "there is no column id"),
    ("shopify", "sku,title\n", "there is no column handle"),
    ("csv", 'id,title\n7,"Tent\n', "line 2"),
    ("csv", b"id,title\n7,\xe9\n", "line 2: not UTF-8"),
    ("csv", b"PK\x03\x04", "workbook"),
    ("shopify", '{"items": []}', "there is no array 'products'"),
    ("parquet", "", "--format parquet: one of google, shopify, csv, jsonl is needed"),
])  # fmt: skip
def test_a_file_of_another_kind_is_refused_in_one_line(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    """It says what was found or needed."""
    with pytest.raises(ConfigError, match=message):
        rows(tmp_path / "feed", content, name)


def test_a_description_may_be_long(tmp_path: Path) -> None:
    """Longer than the reader of Python takes by itself."""
    export = f"Handle,Title,Body (HTML)\ntent,Tent,{'x' * 200_000}\n"
    assert items(rows(tmp_path / "products.csv", export, "shopify")) == [("tent", "Tent", "", True)]


@pytest.mark.parametrize("name", ["google", "csv", "jsonl"])
def test_an_empty_file_has_no_rows(tmp_path: Path, name: str) -> None:
    """The comparison refuses it."""
    assert rows(tmp_path / "feed", "", name) == []
