"""EncodedItems items: ids in a message, beside the numbers that its sender has for them.

To look up an id takes several misses of the cache where a shop has many items, a number takes one.
So whoever reads looks up the ids that it meets for the first time, and remembers what it calls the
items of each sender. It may: within a generation a number names one item for ever (ADR-0002).
"""

import msgspec
import numpy as np

from streamapp.core.arrays.compiled import compiled
from streamapp.core.arrays.dtypes import Bytes, Ints, Longs, grown
from streamapp.core.ids.registry import Registry


class EncodedItems(msgspec.Struct, array_like=True, frozen=True):
    """Items on the wire.

    Attributes:
        numbers: Their numbers, distinct; little-endian int32.
        sizes: Bytes of each id, little-endian uint16: an id has 512 at most.
        text: The ids as UTF-8, one behind the other.
    """

    numbers: bytes = b""
    sizes: bytes = b""
    text: bytes = b""


def encode_items(numbers: Ints, registry: Registry) -> EncodedItems:
    """Return items by their numbers, which are distinct."""
    sizes, text = _encode_items(numbers, *registry.text)
    return EncodedItems(
        numbers.astype("<i4", copy=False).tobytes(),
        sizes.astype("<u2").tobytes(),
        text.tobytes(),
    )


class IdTranslator:
    """Reads spelled items of several senders, all of one generation."""

    def __init__(self) -> None:
        # One more than the number here, by the number there; 0 for what was never met.
        self._met: dict[int, Ints] = {}

    def numbers(self, spelled: EncodedItems, sender: int, registry: Registry) -> Ints:
        """Return the numbers in `registry` of items that `sender` has spelled, int32, in order.

        Items that it does not know get the next free numbers, in order.
        """
        theirs = np.frombuffer(spelled.numbers, "<i4")
        met = self._met.get(sender, np.zeros(0, np.int32))
        self._met[sender] = met = grown(met, int(theirs.max(initial=-1)) + 1)
        numbers: Ints = met[theirs] - 1
        if len(new := np.flatnonzero(numbers < 0)):
            ends = np.cumsum(np.frombuffer(spelled.sizes, "<u2"), dtype=np.int64)
            starts = np.concatenate((np.zeros(1, np.int64), ends))
            spans = zip(starts[new].tolist(), ends[new].tolist(), strict=True)
            numbers[new] = registry.number([spelled.text[a:b].decode() for a, b in spans])
            met[theirs[new]] = numbers[new] + 1
        return numbers


@compiled
def _encode_items(numbers: Ints, text: Bytes, ends: Longs) -> tuple[Longs, Bytes]:
    sizes = np.empty(len(numbers), np.int64)
    for place, number in enumerate(numbers):
        sizes[place] = ends[number + 1] - ends[number]
    spelled, at = np.empty(sizes.sum(), np.uint8), 0
    for number in numbers:
        for byte in range(ends[number], ends[number + 1]):
            spelled[at] = text[byte]
            at += 1
    return sizes, spelled
