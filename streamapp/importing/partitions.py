"""The partitions of many keys at a time, without numba.

The kernel of `streamapp.core.ids.partitioner` gives the same. It brings numba, whose 110 MB an
import of bounded memory has no room for.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from streamapp.core.arrays.array_types import Bools

Words: TypeAlias = npt.NDArray[np.uint32]

_SEED = np.uint32(0x9747B28C)
_FACTOR = np.uint32(0x5BD1E995)
_POSITIVE = np.uint32(0x7FFFFFFF)


def partitions_of(keys: Sequence[bytes], partitions: int) -> list[int]:
    """Return the partition of each key in a topic with `partitions` partitions.

    Products are cut to 32 bits, as the type of the arrays does.

    Cost: 0.2 us a key of a few words, for thousands of keys at a time.
    """
    sizes = np.fromiter(map(len, keys), np.int64, len(keys))
    # Behind the last key are zeros, which words may reach into and no key takes.
    text: Words = np.frombuffer(b"".join(keys) + bytes(4), np.uint8).astype(np.uint32)
    at = np.cumsum(sizes) - sizes
    hashes: Words = _SEED ^ sizes.astype(np.uint32)
    words = sizes // 4
    for word in range(int(words.max(initial=0))):
        rows = np.flatnonzero(words > word)
        first = at[rows] + 4 * word
        value: Words = text[first]
        for byte in (1, 2, 3):
            value |= text[first + byte] << np.uint32(8 * byte)
        value *= _FACTOR
        value ^= value >> np.uint32(24)
        value *= _FACTOR
        hashes[rows] = hashes[rows] * _FACTOR ^ value
    tails = sizes % 4
    last = at + 4 * words
    for byte in range(3):
        has: Bools = tails > byte
        hashes[has] ^= text[last[has] + byte] << np.uint32(8 * byte)
    hashes[tails > 0] *= _FACTOR
    hashes ^= hashes >> np.uint32(13)
    hashes *= _FACTOR
    hashes ^= hashes >> np.uint32(15)
    found: list[int] = ((hashes & _POSITIVE) % partitions).tolist()
    return found
