"""Finds the items of an order, for refunds of whole orders."""

from typing import NamedTuple

import numpy as np

from streamapp.core.arrays.array_types import Floats, Ints, Longs
from streamapp.core.arrays.compiled import compiled

_NONE = -1


class OrderIndex(NamedTuple):
    """Places of items by order, as a chain for each order.

    Attributes:
        order: float64, rising. The numbers of the orders that are looked for.
        last: int64 by order. The newest link of the chain, or -1.
        place: int32 by link. The place of an item.
        earlier: int64 by link. The next older link of the same chain, or -1.
        size: int64, shape (1,). How many links there are.
    """

    order: Floats
    last: Longs
    place: Ints
    earlier: Longs
    size: Longs


@compiled
def order_index(orders: Floats, most: int) -> OrderIndex:
    """Return an empty index.

    Args:
        orders: The orders to look for, each once or more.
        most: Most items that are added.
    """
    order = np.unique(orders)
    if not len(order):
        most = 0
    return OrderIndex(
        order,
        np.full(len(order), _NONE, np.int64),
        np.empty(most, np.int32),
        np.empty(most, np.int64),
        np.zeros(1, np.int64),
    )


@compiled
def add_to_order(index: OrderIndex, order: float, place: int) -> None:
    """Add an item to an order, if the order is looked for. Cost: O(log(orders))."""
    number = np.searchsorted(index.order, order)
    if number == len(index.order) or index.order[number] != order:
        return
    link = index.size[0]
    index.size[0] += 1
    index.place[link], index.earlier[link] = place, index.last[number]
    index.last[number] = link


@compiled
def take_order(index: OrderIndex, order: float) -> Ints:
    """Return the places that were added to an order, some perhaps twice, and forget them."""
    number = np.searchsorted(index.order, order)
    size, link = 0, index.last[number]
    while link != _NONE:
        size, link = size + 1, index.earlier[link]
    places = np.empty(size, np.int32)
    link = index.last[number]
    for entry in range(size):
        places[entry] = index.place[link]
        link = index.earlier[link]
    index.last[number] = _NONE
    return places
