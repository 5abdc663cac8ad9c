"""Words that say whether an item can be bought."""

from typing import Any

import pytest

from streamapp.feeds.availability import availability


@pytest.mark.parametrize("value", [
    None, "", " ", True, 1, 2.5, "3", "true", "TRUE", "in stock", "In_Stock", "in-stock",
    "preorder", "backorder", "https://schema.org/InStock", "available for order",
])  # fmt: skip
def test_what_can_be_bought_or_is_left_out_is_available(value: Any) -> None:
    """Preorders are sold."""
    assert availability(value) is True


@pytest.mark.parametrize("value", [
    False, 0, -1, "0", "-3", "0.0", "false", "out of stock", "OUT_OF_STOCK", "sold out",
    "http://schema.org/OutOfStock", "discontinued",
])  # fmt: skip
def test_what_cannot_be_bought_is_not_available(value: Any) -> None:
    """A negative number of pieces is none."""
    assert availability(value) is False


@pytest.mark.parametrize("value", ["soon", "nicht lieferbar", [], {}])
def test_other_values_say_nothing(value: Any) -> None:
    """The caller counts them."""
    assert availability(value) is None
