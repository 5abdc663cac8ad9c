"""Projections: the interactions that each further kind of item lists counts.

A projection gives an event a user and an item of its own. So the same stages make all kinds of
lists (ADR-0011).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from streamapp.core.events.interaction_sink import NO_ITEM, NOBODY
from streamapp.core.events.values.ids import checked_id
from streamapp.core.histories.event_types import (
    FORGET,
    HIDE,
    NO_ORDER,
    PURCHASE,
    REFUND,
    UNHIDE,
)
from streamapp.core.ids.role_registry import BOUGHT, VIEWED
from streamapp.core.list_kinds import BOUGHT_AFTER_VIEW, BOUGHT_TOGETHER


class Projected(NamedTuple):
    """What a projection makes of an event.

    Attributes:
        user: The user, or what takes the user's place.
        item: The item; `NO_ITEM` where the event names none.
        order: The number of the order.
    """

    user: str
    item: str
    order: float = NO_ORDER


Projection: TypeAlias = Callable[[Mapping[str, Any], str, str, str, float], Projected | None]
"""Given the element, its user, its item, its canonical type and its order: what it is in another
projection, or None where that leaves the event out; raises `BadEventError` to refuse it."""


def into_baskets(
    element: Mapping[str, Any], user: str, item: str, event_type: str, _order: float
) -> Projected | None:
    """Take purchases: the basket is that of the order, or of the user if there is no order.

    A purchase without a user and without an order is in no basket. A refund takes out of a basket
    what a purchase of the same order put there. A user who is forgotten leaves a basket behind only
    in orders.

    Each name begins with a letter of its own, so an order never shares a basket with a user.

    Raises:
        BadEventError: the order is not valid.
    """
    if event_type == FORGET:
        return Projected(f"u:{user}", NO_ITEM)
    if event_type not in {PURCHASE, REFUND}:
        return None
    order = element.get("order_id")
    if order is None or order == "":
        return None if user == NOBODY else Projected(f"u:{user}", item)
    return Projected(f"o:{checked_id('order_id', order)}", item)


def into_roles(
    _element: Mapping[str, Any], user: str, item: str, event_type: str, order: float
) -> Projected | None:
    """Take all interactions of users; an interaction that is no purchase is a view."""
    if user == NOBODY or event_type in {HIDE, UNHIDE}:
        return None
    if item == NO_ITEM:
        return Projected(user, item, order)
    return Projected(user, (BOUGHT if event_type in {PURCHASE, REFUND} else VIEWED) + item, order)


PROJECTIONS: Mapping[str, Projection] = {
    BOUGHT_TOGETHER: into_baskets,
    BOUGHT_AFTER_VIEW: into_roles,
}
"""By kind of lists, in the order in which the results of a state name the kinds."""
