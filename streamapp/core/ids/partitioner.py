"""The partition of a key, as Kafka's own clients choose it.

Source: the default partitioner of Apache Kafka's clients, MurmurHash2 of the key with their seed.
"""

from collections.abc import Sequence

import numpy as np

from streamapp.core.arrays.array_types import Bytes, Ints, Longs
from streamapp.core.arrays.compiled import compiled

_SEED = 0x9747B28C
_FACTOR = 0x5BD1E995
_LOW = 0xFFFFFFFF
_POSITIVE = 0x7FFFFFFF


def partitions_of(keys: Sequence[bytes], partitions: int) -> list[int]:
    """Return the partition of each key in a topic with `partitions` partitions.

    Cost: O(bytes of the keys).
    """
    text = np.frombuffer(b"".join(keys), np.uint8)
    ends = np.cumsum([0, *(len(key) for key in keys)])
    found: list[int] = (_hashes(text, ends) % partitions).tolist()
    return found


@compiled
def _hashes(text: Bytes, ends: Longs) -> Ints:
    """Return the hash of each key, int32, without its sign; products are cut to 32 bits."""
    hashes = np.empty(len(ends) - 1, np.int32)
    for key in range(len(hashes)):
        at, end = ends[key], ends[key + 1]
        value = _SEED ^ (end - at)
        while end - at >= 4:
            word = text[at] | text[at + 1] << 8 | text[at + 2] << 16 | np.int64(text[at + 3]) << 24
            word = word * _FACTOR & _LOW
            word = (word ^ word >> 24) * _FACTOR & _LOW
            value = value * _FACTOR & _LOW ^ word
            at += 4
        if at < end:
            for byte in range(end - at):
                value ^= np.int64(text[at + byte]) << 8 * byte
            value = value * _FACTOR & _LOW
        value = (value ^ value >> 13) * _FACTOR & _LOW
        hashes[key] = (value ^ value >> 15) & _POSITIVE
    return hashes
