"""Translates the item numbers of senders into those of a shard."""

import numpy as np

from streamapp.core.arrays.array_types import Ints
from streamapp.core.arrays.growing import grown
from streamapp.core.ids.item_dictionary import EncodedItems
from streamapp.core.ids.received_items import ReceivedItems
from streamapp.core.ids.registry import Registry

_NONE: Ints = np.zeros(0, np.int32)


class IdTranslator:
    """Translates the item numbers of several senders, all of one state, for one shard.

    Args:
        received: The items that came from the senders; other shards may share it.
    """

    def __init__(self, received: ReceivedItems | None = None) -> None:
        self._received = received or ReceivedItems()
        # The number in the shard plus 1, by the number in `received`; 0 for an unknown item.
        self._known = _NONE

    def numbers(self, encoded: EncodedItems, sender: int, registry: Registry) -> Ints:
        """Return the numbers of received items in a registry, int32, in order.

        Args:
            encoded: The items.
            sender: The partition that sent them.
            registry: That of the shard; gives the next free numbers to items that it does not know.

        Cost: O(items + bytes of ids that are new).
        """
        received = self._received.numbers(encoded, sender)
        self._known = grown(self._known, len(self._received.registry))
        numbers: Ints = self._known[received] - 1
        if len(new := np.flatnonzero(numbers < 0)):
            ids = self._received.registry.ids
            numbers[new] = registry.number([ids[number] for number in received[new].tolist()])
            self._known[received[new]] = numbers[new] + 1
        return numbers
