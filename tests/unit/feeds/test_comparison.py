"""What differs between a feed and the topic, and when a feed has shrunk."""

from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from streamapp.core.events.catalogue_record import Product, encode_product
from streamapp.feeds.comparison import Comparison
from streamapp.feeds.feed_reader import FeedReader
from streamapp.feeds.published import Published
from streamapp.feeds.row import FeedRow, UnreadableRow

TENT = Product(available=True, title="Tent", category="tents")
STOVE = Product(available=True, title="Stove", category="")


@dataclass
class Stored:
    """A record of the topic."""

    key: bytes | None
    value: bytes | None
    offset: int = 0
    timestamp: int = 0


def record(item: str, **fields: Any) -> Stored:
    """Return the record of an item."""
    return Stored(item.encode(), orjson.dumps({"item_id": item, **fields}))


def hidden(product: Product) -> Product:
    """Return a product that is not available."""
    return Product(available=False, title=product.title, category=product.category)


def compared(published: dict[str, Product], *rows: FeedRow | UnreadableRow) -> FeedReader:
    """Return the reader of a feed that is compared with products."""
    reader = FeedReader(Comparison({one: encode_product(it) for one, it in published.items()}))
    for row in rows:
        reader.take(row)
    return reader


def test_the_last_good_record_of_an_item_is_its_product() -> None:
    """A deleted item has none, and what a worker refuses changes nothing."""
    published = Published(max_record_bytes=100)
    published.take([record("a", title="Old"), record("b"), record("c")])
    published.take([
        record("a", title="Tent", category="tents"), Stored(b"b", None), Stored(b"d", None),
        record("c", available="no"), record("a", title="x" * 200),
    ])  # fmt: skip
    plain = Product(available=True, title="", category="")
    assert published.products == {"a": encode_product(TENT), "c": encode_product(plain)}
    assert published.refused == 2


def test_items_are_new_changed_gone_or_unchanged() -> None:
    """What is gone keeps title and category; what was unavailable before is not gone."""
    comparison = Comparison(
        {
            item: encode_product(one)
            for item, one in {
                "same": TENT,
                "other": TENT,
                "gone": TENT,
                "hidden": hidden(TENT),
            }.items()
        }
    )
    for item, product in {"same": TENT, "other": STOVE, "new": STOVE}.items():
        comparison.take(item, product)
    found = comparison.difference()
    assert (found.new, found.changed, found.gone) == (
        {"new": STOVE}, {"other": STOVE}, {"gone": hidden(TENT)},
    )  # fmt: skip
    assert (found.unchanged, found.available, comparison.items) == (1, 3, 3)


def test_the_last_row_of_a_repeated_item_counts() -> None:
    """Also where it is the one that the topic has."""
    comparison = Comparison({"a": encode_product(TENT)})
    for product in (STOVE, TENT):
        comparison.take("a", product)
    comparison.take("b", TENT)
    comparison.take("b", STOVE)
    found = comparison.difference()
    assert (found.new, found.changed, found.unchanged) == ({"b": STOVE}, {}, 1)
    assert comparison.repeated == 2


@pytest.mark.parametrize(("left", "has_shrunk"), [(100, False), (70, False), (69, True), (0, True)])
def test_a_feed_has_shrunk_if_more_than_30_percent_of_the_available_items_are_missing(
    left: int, has_shrunk: bool
) -> None:
    """Items that were hidden before do not count."""
    stored = {f"a{number}": encode_product(TENT) for number in range(100)}
    stored |= {f"h{number}": encode_product(hidden(TENT)) for number in range(90)}
    comparison = Comparison(stored)
    for number in range(left):
        comparison.take(f"a{number}", hidden(TENT))
    assert comparison.difference().has_shrunk is has_shrunk


def test_a_first_feed_has_not_shrunk() -> None:
    """The topic is empty."""
    comparison = Comparison({})
    comparison.take("a", TENT)
    assert not comparison.difference().has_shrunk


def test_rows_become_products_as_the_catalogue_reads_them() -> None:
    """Ids as text, texts without spaces around them and at most 500 characters."""
    comparison = Comparison({})
    reader = FeedReader(comparison)
    reader.take(FeedRow("line 1", 2**70, " Tent ", "x" * 501, "sold out"))
    reader.take(FeedRow("line 2", "b"))
    assert comparison.difference().new == {
        str(2**70): Product(available=False, title="Tent", category="x" * 500),
        "b": Product(available=True, title="", category=""),
    }
    assert not reader.refused


def test_what_cannot_be_used_is_refused_with_the_first_example_of_its_code() -> None:
    """An item that is named stays on the topic as it is."""
    published = dict.fromkeys("abcd", TENT)
    reader = compared(
        published,
        FeedRow("line 1", "a", title=7),
        FeedRow("line 2", "b", category=[]),
        FeedRow("line 3", "c", available=[]),
        FeedRow("line 4", None, "Tent"),
        FeedRow("line 5", "x" * 513),
        FeedRow("line 6", 1.5),
        UnreadableRow("line 7", "not_json", "the line is not JSON", "{"),
    )
    assert reader.refused == {
        "invalid_text": 2, "invalid_available": 1, "missing_id": 1, "id_too_long": 1,
        "invalid_id": 1, "not_json": 1,
    }  # fmt: skip
    assert reader.examples["invalid_text"][:2] == ("line 1", "title is not a string")
    assert reader.examples["not_json"] == ("line 7", "the line is not JSON", "{")
    assert "title='Tent'" in reader.examples["missing_id"][2]
    kept = Comparison({item: encode_product(one) for item, one in published.items()})
    again = FeedReader(kept)
    again.take(FeedRow("line 1", "a", title=7))
    again.take(UnreadableRow("line 2", "wrong_width", "1 fields, not 2", "b", "b"))
    assert set(kept.difference().gone) == {"c", "d"}
    assert (kept.items, kept.difference().unchanged) == (0, 0)


def test_unknown_words_of_availability_are_counted_and_hide_nothing() -> None:
    """At most twenty by name."""
    comparison = Comparison({})
    reader = FeedReader(comparison)
    for number in range(25):
        for _ in range(2):
            reader.take(FeedRow("line 1", f"{number}", available=f"word {number}"))
    assert reader.unknown_words["word 0"] == 2
    assert reader.unknown_words["(other)"] == 10
    assert len(reader.unknown_words) == 21
    assert all(one.available for one in comparison.difference().new.values())
