"""Hidden items: those that a user's own list does not show, while a history is revised."""

from typing import NamedTuple

from streamapp.core.arrays.compiled import compiled
from streamapp.core.arrays.dtypes import Bytes, Floats, Ints, Longs
from streamapp.core.ids.registry import precedes


class HiddenItems(NamedTuple):
    """Items, and when each was hidden last.

    Attributes:
        item: int32.
        ts: float64. Event time in seconds.
    """

    item: Ints
    ts: Floats


@compiled
def hide(
    hidden: HiddenItems, count: int, item: int, ts: float, most: int, text: Bytes, ends: Longs
) -> int:
    """Hide an item; of more than `most`, the one with the smallest (time, id) is shown again.

    Args:
        hidden: The first `count` are hidden, and there is space for one more.
        count: How many are hidden.
        item: The item.
        ts: Event time in seconds.
        most: Most hidden items.
        text: The ids of all items.
        ends: Where each of them ends.

    Returns:
        How many are hidden then.
    """
    for place in range(count):
        if hidden.item[place] == item:
            hidden.ts[place] = max(hidden.ts[place], ts)
            return count
    hidden.item[count], hidden.ts[count] = item, ts
    oldest = 0
    for place in range(1, count + 1):
        if hidden.ts[place] < hidden.ts[oldest] or (
            hidden.ts[place] == hidden.ts[oldest]
            and precedes(text, ends, hidden.item[place], hidden.item[oldest])
        ):
            oldest = place
    if count < most:
        return count + 1
    return show(hidden, count + 1, hidden.item[oldest])


@compiled
def show(hidden: HiddenItems, count: int, item: int) -> int:
    """End the hiding of an item; return how many are hidden then."""
    kept = 0
    for place in range(count):
        if hidden.item[place] != item:
            hidden.item[kept], hidden.ts[kept] = hidden.item[place], hidden.ts[place]
            kept += 1
    return kept
