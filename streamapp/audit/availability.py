"""Compares the items that shards hide with the catalogue."""

from collections.abc import Mapping

from streamapp.audit.comparison import EXAMPLES, Comparison, Difference
from streamapp.core.events.catalogue_record import Product
from streamapp.store.values.hidden_items import HiddenItems


def compare_availability(
    products: Mapping[str, Product], hidden: HiddenItems, role: str = ""
) -> Comparison:
    """Compare every product, and check that all shards hide the same items.

    A hidden item without a product was deleted from the catalogue. Only the topic could prove that.

    Args:
        products: The stored products by item.
        hidden: The items that shards hide.
        role: The prefix of the ids of listed items.
    """
    result = Comparison(len(products))
    wrong = {
        role + item
        for item, one in products.items()
        if one.available == (role + item in hidden.items)
    }
    for item in sorted(wrong | hidden.disputed):
        result.different += 1
        if len(result.examples) < EXAMPLES:
            found = "hidden" if item in hidden.items else "shown"
            found += " (not in all shards)" if item in hidden.disputed else ""
            product = products.get(item.removeprefix(role))
            expected = "shown" if product and product.available else "hidden"
            result.examples.append(Difference(f"item {item}", found, expected))
    return result
