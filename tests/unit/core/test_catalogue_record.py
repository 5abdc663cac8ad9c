"""Catalogue records: the content of each, or the code of its refusal."""

from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.config.settings import Settings
from streamapp.core.events.catalogue_record import (
    CATALOGUE_CODES,
    MAX_TEXT,
    Entry,
    Product,
    decode_product,
    encode_product,
    read_entry,
)
from streamapp.core.events.refusals import CODES, Refusal
from streamapp.transport.topics import needed_topics


def read(value: bytes | None, key: bytes | None = b"x") -> Entry | Refusal:
    """Read one record."""
    record: Any = SimpleNamespace(offset=7, timestamp=0, key=key, value=value)
    return read_entry(record, 10_000)


def code_of(value: bytes | None, key: bytes | None = b"x") -> str:
    """Return the code of a record that cannot be used."""
    found = read(value, key)
    assert isinstance(found, Refusal)
    return found.code


@pytest.mark.parametrize(
    ("value", "product"),
    [
        (b'{"item_id": "x", "available": false}', Product(available=False, title="", category="")),
        (
            b'{"item_id": "x", "title": "X", "category": "y/z", "a": [1]}',
            Product(available=True, title="X", category="y/z"),
        ),
        (b'{"item_id": "x", "title": null}', Product(available=True, title="", category="")),
        (None, None),
    ],
)
def test_what_is_left_out_is_available_and_without_words(
    value: bytes | None, product: Product | None
) -> None:
    """Unknown fields are ignored; only a record without a value is a deletion."""
    assert read(value) == Entry(7, "x", product)


def test_an_integer_is_taken_as_its_decimal_string() -> None:
    """As in events."""
    assert read(b'{"item_id": 12}', b"12") == Entry(
        7, "12", Product(available=True, title="", category="")
    )


def test_long_words_are_cut() -> None:
    """The stored part of an item is bounded, and the item is as available as it says."""
    found = read(orjson.dumps({"item_id": "x", "available": False, "title": "é" * 2_000}))
    assert isinstance(found, Entry)
    assert found.product == Product(available=False, title="é" * MAX_TEXT, category="")


@pytest.mark.parametrize(
    ("value", "key", "code"),
    [
        (None, None, "missing_id"),
        (b"{}", b"x", "missing_id"),
        (None, b"\xff", "not_utf8"),
        (None, b"x" * 513, "id_too_long"),
        (b'{"item_id": "y"}', b"x", "key_mismatch"),
        (b'{"item_id": 1.5}', b"x", "invalid_id"),
        (b'{"item_id": "x", "available": 1}', b"x", "invalid_available"),
        (b'{"item_id": "x", "available": null}', b"x", "invalid_available"),
        (b'{"item_id": "x", "category": ["y"]}', b"x", "invalid_text"),
        (b'{"item_id": "x", "price": NaN}', b"x", "not_finite"),
        (b"\0\0\0\0\1{}", b"x", "schema_registry_frame"),
        (b'{"item_id": "\xff"}', b"x", "not_utf8"),
        (b"[" * 2_000, b"x", "too_deep"),
        (b" " * 10_001, b"x", "too_large"),
        (b"[]", b"x", "not_an_event"),
        (b"null", b"x", "not_an_event"),
        (b"", b"x", "not_json"),
    ],
)
def test_what_cannot_be_used_has_a_code(value: bytes | None, key: bytes | None, code: str) -> None:
    """It says nothing of the item."""
    assert code_of(value, key) == code


def test_the_topic_is_made_compacted_where_the_setting_names_one() -> None:
    """With one for its dead letters."""
    without, having = (
        {
            topic.name: topic
            for topic in needed_topics(Settings(_env_file=None, catalogue_topic=name))
        }
        for name in ("", "goods")
    )
    assert set(having) - set(without) == {"goods", "goods.dlq"}
    assert having["goods"].config["cleanup.policy"] == "compact"
    assert "cleanup.policy" not in having["goods.dlq"].config


@given(st.one_of(st.none(), st.binary()), st.one_of(st.none(), st.binary()))
def test_whatever_the_bytes_are_there_is_an_entry_or_a_code(
    value: bytes | None, key: bytes | None
) -> None:
    """No other error is raised."""
    found = read(value, key)
    if isinstance(found, Refusal):
        assert found.code in CODES | CATALOGUE_CODES
        assert found.value == value


@given(st.booleans(), st.text(), st.text())
def test_a_product_is_read_back_as_it_was_stored(
    available: bool, title: str, category: str
) -> None:
    """To the last character."""
    product = Product(available, title, category)
    assert decode_product(encode_product(product)) == product
