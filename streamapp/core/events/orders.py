"""Orders: an event that names several products in `items` is one interaction with each of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from streamapp.core.events.values.ids import checked_id
from streamapp.errors import BadEventError

MAX_ORDER_ITEMS = 200
"""Most distinct items of an order that count, unless a setting says otherwise."""

_WIDE = 2.0**63
"""The fast reader may return a float for an integer from here on."""


class BadLine(NamedTuple):
    """A part of an order that cannot be counted.

    Attributes:
        place: Index of the line; None for the order as a whole.
        error: The reason.
    """

    place: int | None
    error: BadEventError


class PartlyRefusedError(BadEventError):
    """A part of an order was counted, and another part cannot be.

    Attributes:
        lines: The parts that cannot be counted; at least one.
    """

    def __init__(self, lines: Sequence[BadLine]) -> None:
        super().__init__(lines[0].error.code, str(lines[0].error))
        self.lines = lines


def order_items(lines: Any, most: int, *, exact: bool) -> tuple[list[str], list[BadLine]]:
    """Return the distinct items of an order in the order of its lines, and the refused lines.

    Args:
        lines: The value of `items` in the event.
        most: Most distinct items that count; further lines are not read.
        exact: Whether integers of any size were read as integers.

    Raises:
        BadEventError: `lines` is no array of lines, is empty, or may hold an integer that was not
            read exactly.
    """
    if type(lines) is not list:
        raise BadEventError("invalid_items", "items is not an array")
    if not lines:
        raise BadEventError("missing_id", "neither item_id nor items names an item")
    found: dict[str, None] = {}
    refused: list[BadLine] = []
    if not exact and any(map(_inexact, lines)):
        raise BadEventError("invalid_id", "an item_id is neither a string nor an integer")
    # Equal reasons are one object: a record of a megabyte may hold half a million bad lines.
    reasons: dict[str, BadEventError] = {}
    no_product = BadEventError("not_an_event", "a line of items is not a JSON object")
    for place, line in enumerate(lines):
        if type(line) is not dict:
            refused.append(BadLine(place, no_product))
            continue
        try:
            item = checked_id("item_id", line.get("item_id"))
        except BadEventError as error:
            reason = reasons.setdefault(str(error), error.with_traceback(None))
            refused.append(BadLine(place, reason))
            continue
        if item not in found and len(found) == most:
            rest = BadEventError("order_too_large", f"the order has more than {most} items")
            refused.append(BadLine(None, rest))
            break
        found[item] = None
    return list(found), refused


def is_wide(value: Any) -> bool:
    """Return whether a value may be an integer that the fast reader did not read exactly."""
    return type(value) is float and abs(value) >= _WIDE


def _inexact(line: Any) -> bool:
    return type(line) is dict and is_wide(line.get("item_id"))
