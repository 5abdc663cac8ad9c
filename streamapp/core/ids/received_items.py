"""What the numbers of senders mean, for all shards of a worker."""

import numpy as np

from streamapp.core.arrays.array_types import Ints
from streamapp.core.arrays.growing import grown
from streamapp.core.ids.item_dictionary import EncodedItems
from streamapp.core.ids.registry import Registry

_NONE: Ints = np.zeros(0, np.int32)


class ReceivedItems:
    """The items that came from the senders of one state, for all shards of a worker.

    A worker may own many shards, and each of them hears from all senders. So what the number of a
    sender means is kept once, and not in each shard.

    Attributes:
        registry: All of the items.
    """

    def __init__(self) -> None:
        self.registry = Registry()
        # By sender: the number here plus 1, by the number there; 0 for an unknown item.
        self._met: dict[int, Ints] = {}

    def numbers(self, encoded: EncodedItems, sender: int) -> Ints:
        """Return the numbers of received items in `registry`, int32, in order.

        Args:
            encoded: The items.
            sender: The partition that sent them.

        Cost: O(items + bytes of ids that are new).
        """
        theirs = np.frombuffer(encoded.numbers, "<i4")
        met = self._met.get(sender, _NONE)
        self._met[sender] = met = grown(met, int(theirs.max(initial=-1)) + 1)
        numbers: Ints = met[theirs] - 1
        if len(new := np.flatnonzero(numbers < 0)):
            ends = np.cumsum(np.frombuffer(encoded.sizes, "<u2"), dtype=np.int64)
            starts = np.concatenate((np.zeros(1, np.int64), ends))
            spans = zip(starts[new].tolist(), ends[new].tolist(), strict=True)
            numbers[new] = self.registry.number([encoded.text[a:b].decode() for a, b in spans])
            met[theirs[new]] = numbers[new] + 1
        return numbers
