"""Translates the item numbers of senders into those of a shard."""

import numpy as np

from streamapp.core.arrays.array_types import Ints
from streamapp.core.ids.item_dictionary import EncodedItems
from streamapp.core.ids.number_map import NumberMap
from streamapp.core.ids.received_items import ReceivedItems
from streamapp.core.ids.registry import Registry


class IdTranslator:
    """Translates the item numbers of several senders, all of one state, for one shard.

    Args:
        received: The items that came from the senders; other shards may share it.
    """

    def __init__(self, received: ReceivedItems | None = None) -> None:
        self._received = received or ReceivedItems()
        self._numbers = NumberMap()

    def numbers(self, encoded: EncodedItems, sender: int, registry: Registry) -> Ints:
        """Return the numbers of received items in a registry, int32, in order.

        Args:
            encoded: The items.
            sender: The partition that sent them.
            registry: That of the shard; gives the next free numbers to items that it does not know.

        Cost: O(items + bytes of ids that are new).
        """
        received = self._received.numbers(encoded, sender)
        numbers = self._numbers.get(received)
        if len(new := np.flatnonzero(numbers < 0)):
            ids = self._received.registry.ids
            numbers[new] = registry.number([ids[number] for number in received[new].tolist()])
            self._numbers.set(received[new], numbers[new])
        return numbers
