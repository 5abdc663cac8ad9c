"""Sightings: when each probe was seen, by its intended moment.

A probe is an event on an item of its own. It is seen in a list as soon as that item has one, or as
soon as the list of another item, the same for all probes, names it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from loadtest.bench.distribution import Distribution


class Sightings:
    """The probes that are not seen yet, and the durations of the others.

    Args:
        due_s: Intended moment of each probe, in seconds after the start, by its item.
        shared: The item whose list names all probes; empty where each has a list of its own.
    """

    def __init__(self, due_s: Mapping[str, float], shared: str) -> None:
        self._left = dict(due_s)
        self._shared = shared
        self.took_s: list[float] = []

    @property
    def done(self) -> bool:
        """Whether all were seen."""
        return not self._left

    def wanted(self, now_s: float) -> list[str]:
        """Return the items whose lists are worth reading: those of probes that are due."""
        due = [item for item, at_s in self._left.items() if at_s <= now_s]
        return [self._shared] if self._shared and due else due

    def look(self, item: str, value: bytes | None, now_s: float) -> None:
        """Take the list of an item, or None without one, as found at `now_s`."""
        if value is None:
            return
        if not self._shared:
            self._see([item], now_s)
        elif item == self._shared:
            self._see((entry["id"] for entry in orjson.loads(value)["items"]), now_s)

    def as_dict(self) -> dict[str, Any]:
        """Return the durations, and how many probes were never seen."""
        return {
            "took_s": self.took_s,
            "missing": len(self._left),
            **Distribution(self.took_s).as_dict(),
        }

    def _see(self, items: Iterable[str], now_s: float) -> None:
        for item in items:
            due_s = self._left.pop(item, None)
            if due_s is not None:
                self.took_s.append(now_s - due_s)
