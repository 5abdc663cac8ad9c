"""Event types by number: those that count, and those that take back or say something else.

A history stores the number of a type, so numbers follow from the settings that a state carries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streamapp.core.arrays.array_types import Bytes, Floats

ADD_TO_CART = "add_to_cart"
"""The type of an event that puts an item into a cart."""

PURCHASE = "purchase"
"""The type of an event that buys an item."""

REMOVE_FROM_CART = "remove_from_cart"
REFUND = "refund"
HIDE = "hide"
UNHIDE = "unhide"
FORGET = "forget"
MERGE = "merge"

TAKES_BACK = {REMOVE_FROM_CART: ADD_TO_CART, REFUND: PURCHASE}
"""The type that a type takes back."""

MOST_TYPES = 200
"""Most types that count; their numbers are below this."""

HIDDEN_CODE = 250
"""The number of `hide`, and of a mark of a hidden item."""

ORDER_CODE = 251
"""The number of a mark that names the order of the purchase before it."""

UNHIDE_CODE = 252
REMOVE_CODE = 253
REFUND_CODE = 254
FORGET_CODE = 255
"""The number of events that end a history: `forget`, and `merge`, which hands it over first."""

CODES = {
    HIDE: HIDDEN_CODE,
    UNHIDE: UNHIDE_CODE,
    REMOVE_FROM_CART: REMOVE_CODE,
    REFUND: REFUND_CODE,
    FORGET: FORGET_CODE,
    MERGE: FORGET_CODE,
}
"""The number of each type that counts as nothing by itself."""

NO_ORDER = 0.0
"""The number of the order of an event that names none."""

UNKNOWN_ORDER = -1.0
"""The order of a purchase in a history of an older version."""


@dataclass(frozen=True, slots=True)
class EventTypes:
    """The types that a pipeline counts; the number of a type is its place.

    Attributes:
        names: Each once.
        weights: Weight of each, > 0.
    """

    names: tuple[str, ...]
    weights: tuple[float, ...]

    @classmethod
    def of(cls, weights: Mapping[str, float]) -> "EventTypes":
        """Return the types of a setting, which has no order, by name."""
        return cls(tuple(sorted(weights)), tuple(weights[name] for name in sorted(weights)))

    @property
    def weight(self) -> Floats:
        """Weight by number, float64."""
        return np.array(self.weights, np.float64)

    def find(self, name: str) -> int:
        """Return the number of a type that counts; -1 for another one."""
        return self.names.index(name) if name in self.names else -1

    def numbers(self, names: Sequence[str]) -> Bytes:
        """Return the number of each type, uint8.

        Raises:
            KeyError: a type has no weight, and takes nothing back.
        """
        known = {name: number for number, name in enumerate(self.names)}
        return np.array([known[name] if name in known else CODES[name] for name in names], np.uint8)
