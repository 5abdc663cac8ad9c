"""Reads feeds in CSV."""

from collections.abc import Iterator
from pathlib import Path

from streamapp.feeds.row import FeedRow, UnreadableRow
from streamapp.feeds.table import Table

COLUMNS = {
    "item_id": ("item_id", "id", "product_id", "sku"),
    "title": ("title", "name"),
    "category": ("category", "product_type"),
    "available": ("available", "availability", "in_stock"),
}
"""The names of the field of each part of an item; the first that is there counts."""


def csv_rows(path: Path) -> Iterator[FeedRow | UnreadableRow]:
    """Yield a row for each line.

    Raises:
        ConfigError: there is no column of ids, or quotes are malformed.
    """
    for row in Table(path, COLUMNS, "item_id").rows():
        if isinstance(row, UnreadableRow):
            yield row
        else:
            line, fields = row
            yield FeedRow(f"line {line}", **fields)
