"""Dated items: those of a user's history, or those that the user has hidden, while events come.

Of a user with few events, a look for the oldest item reads the time of every item. For a user with
many events two heaps have the oldest and the newest item on top. So the time for an event does not
grow with the history.
"""

from typing import NamedTuple

import numpy as np

from streamapp.core.arrays.array_types import Bytes, Floats, Ints, Longs
from streamapp.core.arrays.compiled import compiled
from streamapp.core.ids.registry import precedes

ABSENT = -np.inf
"""The time of an item that is not there."""

_UNUSED = -1
_OLDEST, _NEWEST = 1.0, -1.0
"""What the times are multiplied with, so that the item to be found is the smallest."""


class Heap(NamedTuple):
    """Places of the items that are there, as a binary heap.

    Attributes:
        place: int32. The heap.
        at: int32 by place. Where the place is in the heap.
        size: int64, shape (1,). How many places the heap has; -1 if it is not in use.
    """

    place: Ints
    at: Ints
    size: Longs


class DatedItems(NamedTuple):
    """Items and their times; an item is found by its place.

    Attributes:
        item: int32 by place. Item numbers.
        ts: float64 by place. Event time in seconds, or `ABSENT`.
        oldest: The smallest (time, item id) on top.
        newest: The largest time on top.
    """

    item: Ints
    ts: Floats
    oldest: Heap
    newest: Heap


@compiled
def heap_of(most: int) -> Heap:
    """Return a heap of at most so many places, which is not in use."""
    return Heap(np.empty(most, np.int32), np.empty(most, np.int32), np.full(1, _UNUSED))


@compiled
def use_heaps(
    dated: DatedItems, start: int, end: int, needs_newest: bool, text: Bytes, ends: Longs
) -> None:
    """Begin to use heaps, when all items from `start` to `end` are there.

    Args:
        dated: The items.
        start: The first place.
        end: The place after the last one.
        needs_newest: Whether `newest_ts` will be called.
        text: The ids of all items.
        ends: Where each of them ends.
    """
    dated.oldest.size[0] = 0
    dated.newest.size[0] = 0 if needs_newest else _UNUSED
    for place in range(start, end):
        _enter(dated, place, ABSENT, text, ends)


@compiled
def leave_heaps(dated: DatedItems) -> None:
    """Use no heaps."""
    dated.oldest.size[0] = dated.newest.size[0] = _UNUSED


@compiled
def is_heaped(dated: DatedItems) -> bool:
    """Say whether the oldest item is found without a look at every item."""
    return bool(dated.oldest.size[0] != _UNUSED)


@compiled
def date(dated: DatedItems, place: int, ts: float, text: Bytes, ends: Longs) -> None:
    """Set the time of an item; `ABSENT` takes the item away.

    Args:
        dated: The items.
        place: The place of the item.
        ts: The time.
        text: The ids of all items.
        ends: Where each of them ends.

    Cost: O(log(items)) with heaps.
    """
    before = dated.ts[place]
    if ts == before:
        return
    dated.ts[place] = ts
    if is_heaped(dated):
        _enter(dated, place, before, text, ends)


@compiled
def clear(dated: DatedItems, start: int, end: int) -> None:
    """Take all items away. Cost: O(items that are there) with heaps, else O(places)."""
    ts = dated.ts
    if is_heaped(dated):
        for index in range(dated.oldest.size[0]):
            ts[dated.oldest.place[index]] = ABSENT
        dated.oldest.size[0] = 0
        dated.newest.size[0] = min(dated.newest.size[0], 0)
    else:
        ts[start:end] = ABSENT


@compiled
def oldest_place(dated: DatedItems, start: int, end: int, text: Bytes, ends: Longs) -> int:
    """Return the place of the item with the smallest (time, item id); there is one."""
    if is_heaped(dated):
        return int(dated.oldest.place[0])
    item, ts, found = dated.item, dated.ts, -1
    for place in range(start, end):
        if ts[place] > ABSENT and (
            found < 0
            or ts[place] < ts[found]
            or (ts[place] == ts[found] and precedes(text, ends, item[place], item[found]))
        ):
            found = place
    return found


@compiled
def newest_ts(dated: DatedItems, start: int, end: int) -> float:
    """Return the newest time of an item; `ABSENT` without items."""
    newest, ts = ABSENT, dated.ts
    if dated.newest.size[0] > 0:
        newest = ts[dated.newest.place[0]]
    elif dated.newest.size[0] == _UNUSED:
        for place in range(start, end):
            newest = max(newest, ts[place])
    return newest


@compiled
def _enter(dated: DatedItems, place: int, before: float, text: Bytes, ends: Longs) -> None:
    """Bring the heaps in order after the time of one place has changed."""
    _moved(dated.item, dated.ts, dated.oldest, _OLDEST, place, before, text, ends)
    if dated.newest.size[0] != _UNUSED:
        _moved(dated.item, dated.ts, dated.newest, _NEWEST, place, before, text, ends)


@compiled
def _moved(
    item: Ints,
    ts: Floats,
    heap: Heap,
    sign: float,
    place: int,
    before: float,
    text: Bytes,
    ends: Longs,
) -> None:
    """Bring a heap in order after the time of one place has changed."""
    places, at, size = heap.place, heap.at, heap.size
    if before == ABSENT:
        index = size[0]
        size[0] += 1
    else:
        index = at[place]
        if ts[place] == ABSENT:
            # The last place of the heap takes the free index.
            size[0] -= 1
            place = places[size[0]]
            if index == size[0]:
                return
    while index > 0:
        parent = (index - 1) // 2
        above = places[parent]
        mine, other = sign * ts[place], sign * ts[above]
        if other < mine or (other == mine and not precedes(text, ends, item[place], item[above])):
            break
        places[index], at[above] = above, index
        index = parent
    while 2 * index + 1 < size[0]:
        child = 2 * index + 1
        below = places[child]
        if child + 1 < size[0]:
            right = places[child + 1]
            mine, other = sign * ts[right], sign * ts[below]
            if mine < other or (mine == other and precedes(text, ends, item[right], item[below])):
                child, below = child + 1, right
        mine, other = sign * ts[place], sign * ts[below]
        if mine < other or (mine == other and precedes(text, ends, item[place], item[below])):
            break
        places[index], at[below] = below, index
        index = child
    places[index], at[place] = place, index
