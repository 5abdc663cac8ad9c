"""Reads the products of Shopify: the export as CSV, or `products.json`.

An item is a product, as in the events of Shopify: lists show products, not variants. A product is
available if one of its variants can be bought.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streamapp.eventlog.text import open_text
from streamapp.feeds.availability import availability
from streamapp.feeds.json_array import elements
from streamapp.feeds.row import FeedRow, UnreadableRow
from streamapp.feeds.table import Table

_COLUMNS = {
    "handle": ("handle", "url_handle"),
    "id": ("id", "product_id"),
    "title": ("title",),
    "category": ("type",),
    "wide_category": ("product_category",),
    "status": ("status",),
    "published": ("published", "published_on_online_store"),
    "price": ("variant_price", "price"),
    "tracker": ("variant_inventory_tracker", "inventory_tracker"),
    "pieces": ("variant_inventory_qty", "inventory_quantity", "total_inventory_qty"),
    "policy": ("variant_inventory_policy", "continue_selling_when_out_of_stock"),
}
"""The names of the columns in current and in older exports."""

_GLOBAL_ID = "gid://shopify/Product/"


def shopify_rows(path: Path) -> Iterator[FeedRow | UnreadableRow]:
    """Yield a row for each product.

    Raises:
        ConfigError: the CSV has no column of handles or malformed quotes, or the JSON is malformed.
    """
    with open_text(path) as file:
        start = file.read(1_024).lstrip()
    if start.startswith(("{", "[")):
        for number, product in enumerate(elements(path, "products"), 1):
            yield _json_row(f"product {number}", product)
    else:
        yield from _csv_rows(path)


def _json_row(place: str, product: Any) -> FeedRow | UnreadableRow:
    if type(product) is not dict:
        return UnreadableRow(
            place, "not_an_object", "the product is no JSON object", str(product)[:200]
        )
    item = product.get("id")
    variants = product.get("variants")
    is_sold = product.get("status", "active") == "active" and (
        "published_at" not in product or product["published_at"] is not None
    )
    if type(variants) is list and variants:
        is_sold = is_sold and any(type(one) is dict and _can_be_bought(one) for one in variants)
    return FeedRow(
        place,
        item.removeprefix(_GLOBAL_ID) if type(item) is str else item,
        product.get("title"),
        product.get("product_type"),
        is_sold,
    )


def _can_be_bought(variant: dict[str, Any]) -> bool:
    """Say whether a variant can be bought, by what the shop or its administration says of it."""
    if type(variant.get("available")) is bool:
        return bool(variant["available"])
    pieces = variant.get("inventory_quantity")
    return (
        ("inventory_management" in variant and variant["inventory_management"] is None)
        or variant.get("inventory_policy") == "continue"
        or type(pieces) is not int
        or pieces > 0
    )


def _csv_rows(path: Path) -> Iterator[FeedRow | UnreadableRow]:
    """Yield the products; the rows of a product are neighbours."""
    product: _CsvProduct | None = None
    for row in Table(path, _COLUMNS, "handle").rows():
        if isinstance(row, UnreadableRow):
            yield row
            continue
        line, fields = row
        if product is None or fields["handle"] != product.handle:
            if product is not None:
                yield product.row()
            product = _CsvProduct(line, fields)
        product.add(fields)
    if product is not None:
        yield product.row()


class _CsvProduct:
    """A product of several rows: the first describes it, and each may be a variant or an image."""

    def __init__(self, line: int, first: dict[str, str]) -> None:
        self.handle = first["handle"]
        self._line = line
        self._first = first
        self._has_variant = self._can_be_bought = False

    def add(self, fields: dict[str, str]) -> None:
        """Take a row; one without a price is an image."""
        if fields.get("price", "") == "":
            return
        self._has_variant = True
        policy = fields.get("policy", "").strip().lower()
        pieces = fields.get("pieces", "").strip()
        self._can_be_bought |= (
            ("tracker" in fields and not fields["tracker"].strip())
            or policy in {"continue", "true"}
            # An export of several stocks leaves the number out.
            or availability(pieces) is not False
        )

    def row(self) -> FeedRow:
        """Return the product."""
        first = self._first
        is_sold = (
            first.get("status", "").strip().lower() in {"", "active"}
            and availability(first.get("published")) is not False
            and (self._can_be_bought or not self._has_variant)
        )
        return FeedRow(
            f"line {self._line}",
            first.get("id", "").strip() or self.handle.strip(),
            first.get("title", "").strip(),
            first.get("category", "").strip() or first.get("wide_category", "").strip(),
            is_sold,
        )
