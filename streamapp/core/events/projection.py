"""Projections: the interactions that each further kind of item lists counts.

A projection gives an event a user and an item of its own. So the same stages make all kinds of
lists (ADR-0011).
"""

from collections.abc import Mapping
from typing import Any

from streamapp.core.events.ids import checked_id
from streamapp.core.events.rules import NOBODY, PURCHASE, Project
from streamapp.core.histories.role_items import BOUGHT, VIEWED
from streamapp.core.list_kinds import BOUGHT_AFTER_VIEW, BOUGHT_TOGETHER


def into_baskets(
    element: Mapping[str, Any], user: str, item: str, kind: str
) -> tuple[str, str] | None:
    """Take purchases: the basket is of an order, or of a user where there is none.

    A purchase of nobody without an order is in no basket.

    Each begins with a letter of its own, so that an order never shares a basket with a user.

    Raises:
        BadEventError: the order cannot be one.
    """
    if kind != PURCHASE:
        return None
    order = element.get("order_id")
    if order is None or order == "":
        return None if user == NOBODY else (f"u:{user}", item)
    return f"o:{checked_id('order_id', order)}", item


def into_roles(
    _element: Mapping[str, Any], user: str, item: str, kind: str
) -> tuple[str, str] | None:
    """Take all interactions of users; one that is no purchase is a view."""
    if user == NOBODY:
        return None
    return user, (BOUGHT if kind == PURCHASE else VIEWED) + item


PROJECTIONS: Mapping[str, Project] = {
    BOUGHT_TOGETHER: into_baskets,
    BOUGHT_AFTER_VIEW: into_roles,
}
"""By kind of lists, in the order in which the results of a state name the kinds."""
