"""Reads the rows of a feed as products, and tallies what cannot be used."""

from collections import Counter
from typing import Any

from streamapp.core.events.catalogue_record import CATALOGUE_CODES, MAX_TEXT, Product
from streamapp.core.events.values.ids import checked_id
from streamapp.errors import BadEventError
from streamapp.feeds.availability import availability
from streamapp.feeds.comparison import Comparison
from streamapp.feeds.row import FeedRow, UnreadableRow

_NAMED_WORDS, _NAME_CHARACTERS = 20, 100
"""Most unknown words of availability that are counted by name, and how much of each."""

_OTHERS = "(other)"


class FeedReader:
    """Takes the rows of a feed; every product that it makes is one that the app reads.

    Args:
        comparison: Takes the items.

    Attributes:
        rows: How many rows were taken.
        refused: Rows that cannot be used, by code.
        examples: By code, where the first such row is, why it is refused, and what it holds.
        unknown_words: Words that do not say whether an item is available, which it then is.
    """

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison
        self.rows = 0
        self.refused: Counter[str] = Counter()
        self.examples: dict[str, tuple[str, str, str]] = {}
        self.unknown_words: Counter[str] = Counter()

    def take(self, row: FeedRow | UnreadableRow) -> None:
        """Take the next row. Cost: 3 us."""
        self.rows += 1
        if isinstance(row, UnreadableRow):
            self._refuse(row.code, row.place, row.message, row.text)
            self._comparison.keep(row.item_id)
            return
        try:
            item = checked_id("item_id", row.item_id)
        except BadEventError as error:
            self._refuse(error.code, row.place, str(error), _shown(row))
            return
        try:
            product = self._product(row)
        except BadEventError as error:
            self._refuse(error.code, row.place, str(error), _shown(row))
            self._comparison.keep(item)
            return
        self._comparison.take(item, product)

    def _product(self, row: FeedRow) -> Product:
        available = availability(row.available)
        if available is None:
            if type(row.available) is not str:
                raise BadEventError("invalid_available", CATALOGUE_CODES["invalid_available"])
            self._count_unknown(row.available)
        return Product(available is not False, _text("title", row), _text("category", row))

    def _count_unknown(self, word: str) -> None:
        name = word[:_NAME_CHARACTERS]
        known = name in self.unknown_words or len(self.unknown_words) < _NAMED_WORDS
        self.unknown_words[name if known else _OTHERS] += 1

    def _refuse(self, code: str, place: str, message: str, text: str) -> None:
        self.refused[code] += 1
        self.examples.setdefault(code, (place, message, text.strip()[:200]))


def _text(name: str, row: FeedRow) -> str:
    value: Any = getattr(row, name)
    if value is not None and type(value) is not str:
        raise BadEventError("invalid_text", f"{name} is not a string")
    return (value or "").strip()[:MAX_TEXT]


def _shown(row: FeedRow) -> str:
    return ", ".join(
        f"{name}={value!r}" for name, value in row._asdict().items() if name != "place"
    )
