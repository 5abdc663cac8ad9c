"""The formats of feeds by name."""

from collections.abc import Callable, Iterator
from pathlib import Path

from streamapp.errors import ConfigError
from streamapp.feeds.csv_feed import csv_rows
from streamapp.feeds.google_feed import google_rows
from streamapp.feeds.json_feed import json_rows
from streamapp.feeds.row import FeedRow, UnreadableRow
from streamapp.feeds.shopify_feed import shopify_rows

Rows = Callable[[Path], Iterator[FeedRow | UnreadableRow]]

FORMATS: dict[str, Rows] = {
    "google": google_rows,
    "shopify": shopify_rows,
    "csv": csv_rows,
    "jsonl": json_rows,
}
"""By name, the function that yields the rows of a file."""


def reader_of(name: str) -> Rows:
    """Return how a format is read.

    Raises:
        ConfigError: there is no such format.
    """
    if name not in FORMATS:
        raise ConfigError(f"--format {name}: one of {', '.join(FORMATS)} is needed")
    return FORMATS[name]
