"""Reads feeds of Google Merchant: RSS or Atom with the namespace `g`, or text with tabs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from streamapp.errors import ConfigError
from streamapp.eventlog.text import open_bytes
from streamapp.feeds.row import FeedRow, UnreadableRow
from streamapp.feeds.table import Table

_G = "{http://base.google.com/ns/1.0}"
_ATOM = "{http://www.w3.org/2005/Atom}"
_ITEMS = frozenset({"item", f"{_ATOM}entry"})

_COLUMNS = {
    "item_id": ("id",),
    "title": ("title",),
    "category": ("product_type", "google_product_category"),
    "available": ("availability",),
}
_TAGS = {
    "item_id": (f"{_G}id", "id"),
    "title": (f"{_G}title", "title", f"{_ATOM}title"),
    "category": (f"{_G}product_type", f"{_G}google_product_category"),
    "available": (f"{_G}availability",),
}
"""The elements of each part of an item; the first that has a text counts.

The id of an Atom entry without the namespace `g` is an address, and no id of an item.
"""


def google_rows(path: Path) -> Iterator[FeedRow | UnreadableRow]:
    """Yield a row for each item of a feed, in XML or as text with tabs.

    Raises:
        ConfigError: the feed is malformed, declares a document type, or has no column of ids.
    """
    with open_bytes(path) as file:
        start = file.read(1_024)
    # Zero bytes are those of UTF-16.
    if start.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").startswith(b"<"):
        yield from _xml_rows(path)
        return
    for row in Table(path, _COLUMNS, "item_id").rows():
        if isinstance(row, UnreadableRow):
            yield row
        else:
            line, fields = row
            yield FeedRow(f"line {line}", **{name: text.strip() for name, text in fields.items()})


def _xml_rows(path: Path) -> Iterator[FeedRow]:
    """Yield the items of a document; each is dropped before the next is read."""
    number = 0
    open_elements: list[Any] = []
    inside = 0
    with open_bytes(path) as file:
        try:
            for event, element in iterparse(file, ("start", "end"), forbid_dtd=True):
                if event == "start":
                    open_elements.append(element)
                    inside += element.tag in _ITEMS
                    continue
                open_elements.pop()
                if element.tag in _ITEMS:
                    number += 1
                    inside -= 1
                    yield _row(number, element)
                if not inside and open_elements:
                    open_elements[-1].remove(element)
        except ParseError as error:
            line, _ = error.position
            raise ConfigError(f"{path}, line {line}: the XML is malformed: {error}") from None
        except DefusedXmlException:
            raise ConfigError(
                f"{path}: the XML declares a document type or an entity, which may be an attack; "
                "export the feed without it"
            ) from None
        except (LookupError, ValueError) as error:
            raise ConfigError(
                f"{path}: the encoding of the XML cannot be read ({error}); use UTF-8"
            ) from None


def _row(number: int, element: Any) -> FeedRow:
    found: dict[str, str] = {}
    for child in element:
        text = (child.text or "").strip()
        if text:
            found.setdefault(child.tag, text)
    return FeedRow(
        f"item {number}",
        *(next((found[tag] for tag in tags if tag in found), None) for tags in _TAGS.values()),
    )
