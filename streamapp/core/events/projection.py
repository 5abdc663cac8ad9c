"""Projections: what each kind of item lists counts of an event, beside what neighbours do.

The user and the item of a projection are names of its own, so that one and the same machine makes
all kinds of lists (ADR-0011).
"""

from collections.abc import Mapping
from typing import Any

from streamapp.core.events.event import PURCHASE, Project, checked_id
from streamapp.core.histories.role_items import BOUGHT, VIEWED
from streamapp.core.list_kinds import BOUGHT_AFTER_VIEW, BOUGHT_TOGETHER


def into_baskets(
    element: Mapping[str, Any], user: str, item: str, kind: str
) -> tuple[str, str] | None:
    """Take purchases: the basket is of an order, or of a user where there is none.

    Each begins with a letter of its own, so that an order never shares a basket with a user.

    Raises:
        BadEventError: the order cannot be one.
    """
    if kind != PURCHASE:
        return None
    order = element.get("order_id")
    if order is None or order == "":
        return f"u:{user}", item
    return f"o:{checked_id('order_id', order)}", item


def into_roles(
    _element: Mapping[str, Any], user: str, item: str, kind: str
) -> tuple[str, str] | None:
    """Take all interactions; one that is no purchase is a view."""
    return user, (BOUGHT if kind == PURCHASE else VIEWED) + item


PROJECTIONS: Mapping[str, Project] = {
    BOUGHT_TOGETHER: into_baskets,
    BOUGHT_AFTER_VIEW: into_roles,
}
"""By kind of lists, in the order in which a state names them."""
