"""Comparing the hidden items of shards with the catalogue."""

import pytest

from streamapp.audit.availability import compare_availability
from streamapp.core.events.catalogue_record import Product
from streamapp.store.values.hidden_items import HiddenItems

PRODUCTS = {
    "here": Product(available=True, title="", category=""),
    "sold": Product(available=False, title="", category=""),
}


def test_what_is_sold_or_was_deleted_is_hidden() -> None:
    """A deleted item is no longer a product."""
    found = compare_availability(PRODUCTS, HiddenItems({"sold", "deleted"}, set()))
    assert (found.compared, found.different, found.examples) == (2, 0, [])


def test_what_is_hidden_in_lists_is_what_is_bought() -> None:
    """If items have roles, shards receive the item that lists show."""
    assert compare_availability(PRODUCTS, HiddenItems({"b:sold"}, set()), "b:").different == 0
    for wrong in ({"v:sold"}, {"sold"}, {"b:sold", "b:here"}):
        assert compare_availability(PRODUCTS, HiddenItems(wrong, set()), "b:").different > 0


@pytest.mark.parametrize(
    ("hidden", "found", "expected"),
    [
        (HiddenItems(set(), set()), "shown", "hidden"),
        (HiddenItems({"sold", "here"}, set()), "hidden", "shown"),
        (HiddenItems({"sold"}, {"sold"}), "hidden (not in all shards)", "hidden"),
        (HiddenItems({"sold", "deleted"}, {"deleted"}), "hidden (not in all shards)", "hidden"),
    ],
)
def test_a_shard_that_does_otherwise_is_found(
    hidden: HiddenItems, found: str, expected: str
) -> None:
    """One item differs, and the message says how."""
    result = compare_availability(PRODUCTS, hidden)
    assert result.different == 1
    (difference,) = result.examples
    assert (difference.found, difference.expected) == (found, expected)
