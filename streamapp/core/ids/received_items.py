"""What the numbers of senders mean, for all shards of a worker."""

import numpy as np

from streamapp.core.arrays.array_types import Ints
from streamapp.core.ids.item_dictionary import EncodedItems
from streamapp.core.ids.number_map import NumberMap
from streamapp.core.ids.registry import Registry


class ReceivedItems:
    """The items that came from the senders of one state, for all shards of a worker.

    A worker may own many shards, and each of them hears from all senders. So what the number of a
    sender means is kept once, and not in each shard.

    Attributes:
        registry: All of the items.
    """

    def __init__(self) -> None:
        self.registry = Registry()
        self._numbers: dict[int, NumberMap] = {}

    def numbers(self, encoded: EncodedItems, sender: int) -> Ints:
        """Return the numbers of the items of a message in `registry`, int32, in order.

        Args:
            encoded: The items.
            sender: The partition that sent them.

        Cost: O(items + bytes of ids that are new).
        """
        theirs = np.frombuffer(encoded.numbers, "<i4")
        known = self._numbers.setdefault(sender, NumberMap())
        numbers = known.get(theirs)
        if len(new := np.flatnonzero(numbers < 0)):
            ends = np.cumsum(np.frombuffer(encoded.sizes, "<u2"), dtype=np.int64)
            starts = np.concatenate((np.zeros(1, np.int64), ends))
            spans = zip(starts[new].tolist(), ends[new].tolist(), strict=True)
            numbers[new] = self.registry.number([encoded.text[a:b].decode() for a, b in spans])
            known.set(theirs[new], numbers[new])
        return numbers
