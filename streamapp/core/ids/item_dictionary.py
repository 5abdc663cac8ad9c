"""Dictionary encoding of item ids: a message has each id once, beside the number of its sender.

In a large registry, a look-up of an id costs several cache misses, and a look-up of a number costs
one. So a receiver looks up an id when it meets it for the first time, and then remembers its own
number for each number of a sender. Within a state a number means one item for ever (ADR-0002).
"""

import msgspec
import numpy as np

from streamapp.core.arrays.array_types import Bytes, Ints, Longs
from streamapp.core.arrays.compiled import compiled
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
