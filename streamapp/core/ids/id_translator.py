"""Translates the item numbers of senders into those of a shard."""

from collections.abc import Sequence

import numpy as np

from streamapp.core.arrays.array_types import Ints, Longs
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

    def numbers(
        self, messages: Sequence[tuple[EncodedItems, int]], registry: Registry
    ) -> tuple[Ints, Longs]:
        """Return the numbers that the items of messages have in a registry.

        Args:
            messages: The items of each message, and the partition that sent it.
            registry: That of the shard; gives the next free numbers to items that it does not know.

        Returns:
            int32: the numbers of all items in order; int64, shape (messages,): where those of each
            message start.

        Cost: O(items + bytes of ids that are new).
        """
        parts = [self._received.numbers(items, sender) for items, sender in messages]
        received = np.concatenate(parts)
        numbers = self._numbers.get(received)
        if len(new := np.flatnonzero(numbers < 0)):
            ids = self._received.registry.ids
            numbers[new] = registry.number([ids[number] for number in received[new].tolist()])
            self._numbers.set(received[new], numbers[new])
        sizes = np.array([len(part) for part in parts], np.int64)
        return numbers, np.cumsum(sizes) - sizes
