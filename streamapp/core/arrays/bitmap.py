"""Packs flags: which items, by number, something holds for.

Few are packed as their numbers, int32, little endian. Many are packed as one bit for each item,
with bytes behind them that make the length no multiple of four, which tells the two apart. So a
million flags take 125,001 bytes at most, and Redis is not kept by copying megabytes.
"""

import numpy as np

from streamapp.core.arrays.dtypes import Bools, Ints

_NUMBER = np.dtype("<i4")


def packed_flags(flags: Bools) -> bytes:
    """Return the flags, bool by number, packed; b"" where none is set. Cost: O(flags)."""
    numbers = np.flatnonzero(flags)
    if len(numbers) * _NUMBER.itemsize * 8 <= len(flags):
        return numbers.astype(_NUMBER).tobytes()
    bits = np.packbits(flags).tobytes()
    return bits + bytes(-len(bits) % _NUMBER.itemsize + 1)


def flagged(packed: bytes) -> Ints:
    """Return the numbers, int32, rising, whose flags were set."""
    if len(packed) % _NUMBER.itemsize == 0:
        return np.frombuffer(packed, _NUMBER).astype(np.int32)
    bits = np.unpackbits(np.frombuffer(packed, np.uint8))
    return np.flatnonzero(bits).astype(np.int32)
