"""Chains of marks: what is known of one item while its history is revised."""

from typing import NamedTuple

from streamapp.core.arrays.array_types import Bytes, Floats, Longs
from streamapp.core.arrays.compiled import compiled
from streamapp.core.histories.event_types import NO_ORDER, UNKNOWN_ORDER

ORDERS_KEPT = 8
"""Orders that a history remembers of each item. Of more, those with the smallest (time, number) are
forgotten, and the purchases in them too."""

NO_MARK = -1


class Chains(NamedTuple):
    """Marks, each with the one that follows it.

    Attributes:
        kind: uint8. Number of the event type.
        ts: float64. Newest event time in seconds.
        order: float64. Number of the order of a purchase, or `NO_ORDER`.
        following: int64. The next mark of the same item; `NO_MARK` of the last one.
    """

    kind: Bytes
    ts: Floats
    order: Floats
    following: Longs


@compiled
def find(chains: Chains, first: int, kind: int, order: float) -> int:
    """Return the mark of a type and an order in the chain that begins at `first`, or `NO_MARK`."""
    mark = first
    while mark != NO_MARK and not (chains.kind[mark] == kind and chains.order[mark] == order):
        mark = chains.following[mark]
    return mark


@compiled
def without(chains: Chains, first: int, kind: int, order: float, is_whole: bool) -> int:
    """Take marks of a type out of a chain.

    Args:
        chains: The marks.
        first: Where the chain begins.
        kind: The type.
        order: Only marks of this order leave; all of the type if it is `NO_ORDER`.
        is_whole: Whether the order is taken back whole. Else a purchase leaves too whose order is
            not known.

    Returns:
        Where the chain begins then; `NO_MARK` if nothing is left.
    """
    kept, previous, mark = NO_MARK, NO_MARK, first
    while mark != NO_MARK:
        named = chains.order[mark]
        matches = order in (NO_ORDER, named) or (named == UNKNOWN_ORDER and not is_whole)
        if not (chains.kind[mark] == kind and matches):
            if kept == NO_MARK:
                kept = mark
            else:
                chains.following[previous] = mark
            previous = mark
        mark = chains.following[mark]
    if previous != NO_MARK:
        chains.following[previous] = NO_MARK
    return kept


@compiled
def newest_orders(chains: Chains, first: int) -> int:
    """Take the oldest order out of a chain that has too many; return where the chain begins."""
    count, oldest, before_oldest, previous, mark = 0, NO_MARK, NO_MARK, NO_MARK, first
    while mark != NO_MARK:
        if chains.order[mark] != NO_ORDER:
            count += 1
            if (
                oldest == NO_MARK
                or chains.ts[mark] < chains.ts[oldest]
                or (
                    chains.ts[mark] == chains.ts[oldest]
                    and chains.order[mark] < chains.order[oldest]
                )
            ):
                oldest, before_oldest = mark, previous
        previous, mark = mark, chains.following[mark]
    if count <= ORDERS_KEPT:
        return first
    if before_oldest == NO_MARK:
        return int(chains.following[oldest])
    chains.following[before_oldest] = chains.following[oldest]
    return first
