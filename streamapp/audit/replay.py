"""Replays the events of one user by the history rule, one by one, with dictionaries and a queue."""

import math
from collections.abc import Sequence
from heapq import heappop, heappush

from streamapp.core.histories.event_types import NO_ORDER
from streamapp.core.histories.mark_chains import ORDERS_KEPT

DAY_S = 86_400.0
"""Seconds of a UTC day."""

Mark = tuple[str, float]
"""An event type and the number of an order."""


class Replay:
    """The history of one user.

    The queue holds an entry for every time that an item ever had. An entry is stale if the item has
    another time now, or is gone.

    Args:
        names: The ids of items, which break ties of time.
        cap: Most items, and most hidden items.

    Attributes:
        hidden: The times of hidden items.
        newest: The newest time of what is left.
    """

    def __init__(self, names: Sequence[str], cap: int) -> None:
        self.hidden: dict[int, float] = {}
        self.newest = -math.inf
        self._names = names
        self._cap = cap
        self._marks: dict[int, dict[Mark, tuple[float, float]]] = {}
        self._last: dict[int, float] = {}
        self._queue: list[tuple[float, str, int]] = []

    def entries(self) -> dict[int, tuple[float, float]]:
        """Return by item the largest value and the last time."""
        return {
            item: (max(value for value, _ in marks.values()), self._last[item])
            for item, marks in self._marks.items()
        }

    def add(self, item: int, kind: str, value: float, ts: float, order: float) -> bool:
        """Take an interaction with a weight or a level; over the cap, evict the oldest item.

        Returns:
            Whether the item is new, or has a larger value or a later UTC day than before.
        """
        marks = self._marks.setdefault(item, {})
        is_news = (
            not marks
            or value > max(one for one, _ in marks.values())
            or ts // DAY_S > self._last[item] // DAY_S
        )
        before, then = marks.get((kind, order), (value, ts))
        marks[kind, order] = max(before, value), max(then, ts)
        orders = [mark for mark in marks if mark[1] != NO_ORDER]
        if len(orders) > ORDERS_KEPT:
            del marks[min(orders, key=lambda mark: (marks[mark][1], mark[1]))]
        self.newest = max(self.newest, ts)
        if item not in self._last or ts > self._last[item]:
            self._date(item, ts)
        while len(self._marks) > self._cap:
            oldest, _, gone = heappop(self._queue)
            if self._last.get(gone) == oldest:
                del self._marks[gone], self._last[gone]
        return is_news

    def take_back(self, item: int, kind: str, order: float) -> None:
        """Take a type back from an item, or from all items if it is negative."""
        for one in [item] if item >= 0 else list(self._marks):
            if one not in self._marks:
                continue
            left = {
                mark: value
                for mark, value in self._marks[one].items()
                if mark[0] != kind or order not in (NO_ORDER, mark[1])
            }
            if left:
                self._marks[one] = left
                self._date(one, max(ts for _, ts in left.values()))
            else:
                del self._marks[one], self._last[one]
        self._look_back()

    def hide(self, item: int, ts: float) -> None:
        """Hide an item; over the cap, show the one that was hidden first."""
        self.hidden[item] = max(ts, self.hidden.get(item, ts))
        self.newest = max(self.newest, ts)
        if len(self.hidden) > self._cap:
            names = self._names
            del self.hidden[min(self.hidden, key=lambda one: (self.hidden[one], names[one]))]

    def show(self, item: int) -> None:
        """End the hiding of an item."""
        self.hidden.pop(item, None)
        self._look_back()

    def marks(self) -> list[tuple[int, str, float, float, float]]:
        """Return (item, type, value, time, order) of all that is left, newest first."""
        found = [
            (item, kind, value, ts, order)
            for item, some in self._marks.items()
            for (kind, order), (value, ts) in some.items()
        ]
        return sorted(found, key=lambda mark: -mark[3])

    def take_over(self, other: "Replay") -> None:
        """Take what another history holds."""
        for mark in other.marks():
            self.add(*mark)
        for item, ts in sorted(other.hidden.items(), key=lambda one: -one[1]):
            self.hide(item, ts)

    def _date(self, item: int, ts: float) -> None:
        self._last[item] = ts
        heappush(self._queue, (ts, self._names[item], item))

    def _look_back(self) -> None:
        self.newest = max([*self._last.values(), *self.hidden.values()], default=-math.inf)
