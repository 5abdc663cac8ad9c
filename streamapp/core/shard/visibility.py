"""Which items lists may show: an item that the catalogue does not offer is hidden.

A change of the catalogue comes to a shard as a catalogue update in the shard's own log. So the set
of hidden items is a function of the log, like all state of a shard (ADR-0010). An item without any
update is shown.
"""

from collections.abc import Sequence

import numpy as np

from streamapp.core.arrays.array_types import NOTHING_HIDDEN, Bools, Ints
from streamapp.core.arrays.record_table import RecordTable
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.catalogue_update import VisibilityChange

VISIBILITY = np.dtype([("position", ">u8"), ("hidden", "?")])
"""Whether an item is hidden, 9 bytes; its index in the array is the item's number."""


class Visibility(RecordTable):
    """Which of the items of a shard's registry are hidden.

    Args:
        packed: An array of `VISIBILITY`, as a slot stores it.
        last_update_offset: As it was stored.

    Attributes:
        count: How many items are hidden.
        last_update_offset: Offset behind the last update in the shard's log that changed a list.
    """

    def __init__(self, packed: bytes = b"", last_update_offset: int = 0) -> None:
        super().__init__(VISIBILITY, packed)
        self.count = int(self.hidden.sum())
        self.last_update_offset = last_update_offset

    @property
    def hidden(self) -> Bools:
        """Bool by number. Items that no list shows."""
        return self._columns["hidden"]

    @property
    def mask(self) -> Bools:
        """The same; empty where no item is hidden."""
        return self.hidden if self.count else NOTHING_HIDDEN

    def apply(self, changes: Sequence[VisibilityChange], offset: int, registry: Registry) -> Ints:
        """Apply a catalogue update; return the items whose lists may differ.

        Args:
            changes: Of the update; the last change of an item counts.
            offset: Of the update in the shard's log.
            registry: Learns items that are hidden; an unknown item is shown anyway.

        Returns:
            int32: item numbers, each once. An item that was stored ahead is always among them,
            because the owner that stored it may have died before it published the lists.
        """
        latest = {change.item: change.hidden for change in changes}
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
            self.last_update_offset = offset + 1
        return concerned
