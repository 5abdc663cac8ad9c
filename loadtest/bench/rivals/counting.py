"""The job in its obvious form: plain dicts, one event at a time.

The same rules as the app's, so that the rivals do the same work: the largest weight counts, the
oldest entry of a full history is evicted, and the score is the cosine.
"""

from collections.abc import Iterator, Mapping
from heapq import nsmallest
from math import sqrt
from typing import Any

HISTORY_CAP = 100
TOP_N = 20

History = dict[str, list[float]]
"""Rating and last time, by item."""


def apply(
    history: History, event: Mapping[str, Any], weights: Mapping[str, float]
) -> Iterator[tuple[str, str, int]]:
    """Apply an event to its user's history; yield (item, other item, change of their dot).

    Every pair comes in both directions. If both items are equal, the change is that of the sum of
    squares. An event of a type without a weight changes nothing.
    """
    if event.get("type", "click") not in weights:
        return
    item, ts = str(event["item_id"]), float(event["ts"])
    weight = int(weights[event.get("type", "click")])
    rating, last = history.get(item, (0, ts))
    if weight > rating:
        yield from _changes(history, item, int(rating), weight)
    history[item] = [max(rating, weight), max(last, ts)]
    if len(history) > HISTORY_CAP:
        oldest = min(history, key=lambda name: (history[name][1], name))
        gone, _ = history.pop(oldest)
        yield from _changes(history, oldest, int(gone), 0)


def _changes(
    history: History, item: str, before: int, after: int
) -> Iterator[tuple[str, str, int]]:
    yield item, item, after**2 - before**2
    for other, (rating, _) in history.items():
        if other != item:
            change = (after - before) * int(rating)
            yield item, other, change
            yield other, item, change


def ranked(
    row: Mapping[str, int], own: float, sums: Mapping[str, float]
) -> list[dict[str, str | float]]:
    """Return the list of an item, best first.

    Args:
        row: Its dots by other item.
        own: Its sum of squares; an item without users has an empty list.
        sums: Sum of squares by other item; an unknown one is left out.
    """
    scores = (
        (-dot / sqrt(own * sums[other]), other)
        for other, dot in row.items()
        if dot > 0 and own > 0 and sums.get(other, 0) > 0
    )
    return [{"id": other, "score": -score} for score, other in nsmallest(TOP_N, scores)]
