"""Projections: the interactions that each further kind of item lists counts.

A projection gives an event a user and an item of its own. So the same stages make all kinds of
lists (ADR-0011).
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from streamapp.core.events.ids import checked_id
from streamapp.core.events.interaction_sink import NOBODY
from streamapp.core.events.type_names import PURCHASE
from streamapp.core.ids.role_registry import BOUGHT, VIEWED
from streamapp.core.list_kinds import BOUGHT_AFTER_VIEW, BOUGHT_TOGETHER

Projection: TypeAlias = Callable[[Mapping[str, Any], str, str, str], tuple[str, str] | None]
"""Given the element, its user, its item and its canonical type: the user and the item of another
projection, or None where that leaves the event out; raises `BadEventError` to refuse it."""


def into_baskets(
    element: Mapping[str, Any], user: str, item: str, event_type: str
) -> tuple[str, str] | None:
    """Take purchases: the basket is that of the order, or of the user if there is no order.

    A purchase without a user and without an order is in no basket.

    Each name begins with a letter of its own, so an order never shares a basket with a user.

    Raises:
        BadEventError: the order is not valid.
    """
    if event_type != PURCHASE:
        return None
    order = element.get("order_id")
    if order is None or order == "":
        return None if user == NOBODY else (f"u:{user}", item)
    return f"o:{checked_id('order_id', order)}", item


def into_roles(
    _element: Mapping[str, Any], user: str, item: str, event_type: str
) -> tuple[str, str] | None:
    """Take all interactions of users; an interaction that is no purchase is a view."""
    if user == NOBODY:
        return None
    return user, (BOUGHT if event_type == PURCHASE else VIEWED) + item


PROJECTIONS: Mapping[str, Projection] = {
    BOUGHT_TOGETHER: into_baskets,
    BOUGHT_AFTER_VIEW: into_roles,
}
"""By kind of lists, in the order in which the results of a state name the kinds."""
