"""Compares which items shards hide with what is known of the catalogue."""

from collections.abc import Mapping

from streamapp.audit.comparison import EXAMPLES, Comparison, Difference
from streamapp.core.events.catalogue_record import Product
from streamapp.store.values.products import Hidden


def compare_availability(
    products: Mapping[str, Product], hidden: Hidden, role: str = ""
) -> Comparison:
    """Compare every product, and whether all shards hide the same.

    An item that is hidden and no product was deleted; whether that is so, only the topic knows.

    Args:
        products: What the state holds of the catalogue, by item.
        hidden: What shards hide.
        role: Of the items in lists.
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
