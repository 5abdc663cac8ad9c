"""Dictionary encoding of item ids: a message has each id once, beside the number of its sender.

In a large registry, a look-up of an id costs several cache misses, and a look-up of a number costs
one. So a receiver looks up an id when it meets it for the first time, and then remembers its own
number for each number of a sender. Within a state a number means one item for ever (ADR-0002).
"""

import msgspec
import numpy as np

from streamapp.core.arrays.array_types import Bytes, Ints, Longs
from streamapp.core.arrays.compiled import compiled
from streamapp.core.arrays.growing import grown
from streamapp.core.ids.registry import Registry


class EncodedItems(msgspec.Struct, array_like=True, frozen=True):
    """Items on the wire.

    Attributes:
        numbers: The sender's numbers, distinct; little-endian int32.
        sizes: Bytes of each id, 512 at most; little-endian uint16.
        text: The ids as UTF-8, one behind the other.
    """

    numbers: bytes = b""
    sizes: bytes = b""
    text: bytes = b""


def encode_items(numbers: Ints, registry: Registry) -> EncodedItems:
    """Return items as they are sent; `numbers` are distinct. Cost: O(bytes of the ids)."""
    sizes, text = _encode_items(numbers, *registry.text)
    return EncodedItems(
        numbers.astype("<i4", copy=False).tobytes(),
        sizes.astype("<u2").tobytes(),
        text.tobytes(),
    )


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


@compiled
def _encode_items(numbers: Ints, text: Bytes, ends: Longs) -> tuple[Longs, Bytes]:
    sizes = np.empty(len(numbers), np.int64)
    for line, number in enumerate(numbers):
        sizes[line] = ends[number + 1] - ends[number]
    packed, at = np.empty(sizes.sum(), np.uint8), 0
    for number in numbers:
        for byte in range(ends[number], ends[number + 1]):
            packed[at] = text[byte]
            at += 1
    return sizes, packed
