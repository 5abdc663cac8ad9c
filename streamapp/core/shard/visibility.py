"""Which items lists may show: what a catalogue says is no longer available is hidden.

What a catalogue says comes to a shard as notices in the shard's own log, so which items are hidden
at a position is a function of the log, as everything else of a shard is (ADR-0010). An item that
no notice was about is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from streamapp.core.arrays.dtypes import NOTHING, Bools, Ints, Longs, records, resized
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.catalogue_update import VisibilityChange

AVAILABILITY = np.dtype([("position", ">u8"), ("hidden", "?")])
"""Whether an item is hidden, 9 bytes; its place in the array is the item's number."""


@dataclass(slots=True)
class Visibility:
    """Which of the items of a shard's registry are hidden.

    Attributes:
        position: int64 by number. Where each was stored: it knows every notice below this offset of
            the shard's log, and may be ahead of what is applied.
        furthest: The largest of these positions; 0 without any.
        hidden: bool by number.
        unsaved: bool by number. Items that changed since `packed_changes`.
        count: How many are hidden.
        heard: Offset behind the last notice by which lists may differ, in the shard's log.
    """

    position: Longs = field(default_factory=lambda: np.zeros(0, np.int64))
    furthest: int = 0
    hidden: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))
    unsaved: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))
    count: int = 0
    heard: int = 0

    @classmethod
    def unpack(cls, packed: bytes) -> "Visibility":
        """Return what `packed`, an array of `AVAILABILITY`, holds."""
        stored = np.frombuffer(packed, AVAILABILITY)
        position, hidden = stored["position"].astype(np.int64), stored["hidden"].copy()
        furthest, unsaved = int(position.max(initial=0)), np.zeros(len(stored), np.bool_)
        return cls(position, furthest, hidden, unsaved, int(hidden.sum()))

    @property
    def mask(self) -> Bools:
        """Whether each item is hidden, bool by number; empty where none is."""
        return self.hidden if self.count else NOTHING

    def reserve(self, items: int) -> None:
        """Make room for the numbers below `items`."""
        for name in ("position", "hidden", "unsaved"):
            array = getattr(self, name)
            setattr(self, name, resized(array, max(items, len(array))))

    def apply(self, news: Sequence[VisibilityChange], offset: int, registry: Registry) -> Ints:
        """Apply what the notice at `offset` says; return the items whose lists may differ by it.

        Args:
            news: The changes; of an item, the last one counts.
            offset: Of the shard's log.
            registry: Learns items that are hidden; one that it does not know is shown anyway.

        Returns:
            Item numbers, int32, each once. Whoever stored one further may have died before its
            lists were made, so it is among them whatever it changes.
        """
        latest = {change.item: change.hidden for change in news}
        registry.number([item for item, hidden in latest.items() if hidden])
        self.reserve(len(registry))
        known = {registry.find(item): hidden for item, hidden in latest.items()}
        known.pop(-1, None)
        items = np.fromiter(known, np.int32, len(known))
        hidden = np.fromiter(known.values(), np.bool_, len(known))
        ahead = self.position[items] > offset
        changed = self.hidden[items] != hidden
        self.hidden[items[changed]] = hidden[changed]
        self.unsaved[items[changed]] = True
        self.count += int(hidden[changed].sum()) - int((~hidden[changed]).sum())
        concerned: Ints = items[changed | ahead]
        if len(concerned):
            self.heard = offset + 1
        return concerned

    def packed_changes(self, position: int) -> list[tuple[int, bytes]]:
        """Return (number, packed `AVAILABILITY`) of items that changed, and forget which did."""
        numbers = np.flatnonzero(self.unsaved)
        packed = np.empty(len(numbers), AVAILABILITY)
        packed["position"], packed["hidden"] = position, self.hidden[numbers]
        self.unsaved[numbers] = False
        return records(numbers, packed)
