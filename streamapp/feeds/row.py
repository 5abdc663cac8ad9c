"""What a feed gives: rows that describe items, and parts that cannot be read."""

from typing import Any, NamedTuple


class FeedRow(NamedTuple):
    """An item as a feed describes it; nothing is checked yet.

    Attributes:
        place: Where it is, for people.
        item_id: The id of the item.
        title: For people.
        category: The category of the item.
        available: True, false, or a word that says so; None or "" if the feed does not say.
    """

    place: str
    item_id: Any = None
    title: Any = None
    category: Any = None
    available: Any = None


class UnreadableRow(NamedTuple):
    """A part of a feed that is no row.

    Attributes:
        place: Where it is, for people.
        code: Why it is no row, for programs.
        message: Why, for people.
        text: What is there.
        item_id: The id of the item, as far as it can be told; else "".
    """

    place: str
    code: str
    message: str
    text: str
    item_id: str = ""
