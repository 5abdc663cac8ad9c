"""The words by which feeds say whether an item can be bought."""

from typing import Any

_YES = frozenset({
    "true", "t", "yes", "y", "available", "availablefororder", "active", "backorder",
    "backordered", "instock", "instoreonly", "limitedavailability", "lowstock", "madetoorder",
    "onlineonly", "preorder", "presale",
})  # fmt: skip
_NO = frozenset({
    "false", "f", "no", "n", "archived", "discontinued", "draft", "inactive", "notavailable",
    "outofstock", "soldout", "unavailable",
})  # fmt: skip

_LEFT_OUT = str.maketrans("", "", " _-\t\r\n")


def availability(value: Any) -> bool | None:
    """Return whether an item can be bought; None if the value does not say it.

    Args:
        value: A truth value, a number of pieces, or a word in any case and with any separator,
            also at the end of an address such as `https://schema.org/InStock`. What is left out
            is available, as in the catalogue.
    """
    if value is None or type(value) is bool:
        return value is not False
    if type(value) in {int, float}:
        return bool(value > 0)
    if type(value) is not str:
        return None
    try:
        return float(value) > 0
    except ValueError:
        pass
    word = value.rsplit("/", 1)[-1].translate(_LEFT_OUT).lower()
    if not word or word in _YES:
        return True
    return False if word in _NO else None
