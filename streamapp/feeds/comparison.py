"""What of a feed differs from the topic."""

from collections.abc import Mapping
from dataclasses import dataclass

from streamapp.core.events.catalogue_record import Product, decode_product, encode_product

_MOST_MISSING = 30
"""Percent of the available items; a feed without more of them is taken for a broken one."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The products to send, by item, and how many there are beside them.

    Attributes:
        new: Items that the topic does not have, or that were deleted there.
        changed: Items that the topic has otherwise.
        gone: Items that are available on the topic and missing in the feed, as unavailable.
        unchanged: How many items of the feed are the same on the topic.
        available: How many items are available on the topic.
    """

    new: Mapping[str, Product]
    changed: Mapping[str, Product]
    gone: Mapping[str, Product]
    unchanged: int
    available: int

    @property
    def has_shrunk(self) -> bool:
        """Whether more than 30 % of the available items are missing in the feed."""
        return 100 * len(self.gone) > _MOST_MISSING * self.available


class Comparison:
    """Compares the items of a feed with the products on the topic, one by one.

    Args:
        published: By item, its product on the topic as it is stored.

    Attributes:
        repeated: How many items came again. The last one counts, as on the topic.

    Memory: an id for each item, and the products that differ.
    """

    def __init__(self, published: Mapping[str, bytes]) -> None:
        self._published = published
        self._taken: set[str] = set()
        self._kept: set[str] = set()
        self._different: dict[str, Product] = {}
        self.repeated = 0

    @property
    def items(self) -> int:
        """How many items the feed describes."""
        return len(self._taken)

    def take(self, item: str, product: Product) -> None:
        """Take an item of the feed."""
        self.repeated += item in self._taken
        self._taken.add(item)
        if self._published.get(item) == encode_product(product):
            self._different.pop(item, None)
        else:
            self._different[item] = product

    def keep(self, item: str) -> None:
        """Take an item whose description cannot be used: it stays on the topic as it is."""
        self._kept.add(item)

    def difference(self) -> Difference:
        """Return what differs, when the whole feed was taken."""
        gone, available = {}, 0
        for item, stored in self._published.items():
            product = decode_product(stored)
            available += product.available
            if product.available and item not in self._taken and item not in self._kept:
                # Title and category stay: the item keeps its neighbours by content.
                gone[item] = Product(
                    available=False, title=product.title, category=product.category
                )
        known = self._published.keys()
        return Difference(
            new={item: one for item, one in self._different.items() if item not in known},
            changed={item: one for item, one in self._different.items() if item in known},
            gone=gone,
            unchanged=len(self._taken) - len(self._different),
            available=available,
        )
