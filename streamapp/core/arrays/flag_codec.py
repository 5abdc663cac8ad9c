"""Packs a set of numbers, given as flags.

A small set is packed as its numbers: int32, little endian. A large set is packed as one bit for
each number, followed by padding that makes the length no multiple of four; the length tells the two
forms apart. So a million flags take 125,001 bytes at most, and a write of them does not block Redis
for long.
"""

import numpy as np

from streamapp.core.arrays.array_types import Bools, Ints

_NUMBER = np.dtype("<i4")


def pack_flags(flags: Bools) -> bytes:
    """Return the flags, bool by number, packed; b"" if no flag is set. Cost: O(flags)."""
    numbers = np.flatnonzero(flags)
    if len(numbers) * _NUMBER.itemsize * 8 <= len(flags):
        return numbers.astype(_NUMBER).tobytes()
    bits = np.packbits(flags).tobytes()
    return bits + bytes(-len(bits) % _NUMBER.itemsize + 1)


def unpack_flags(packed: bytes) -> Ints:
    """Return the numbers whose flags were set, int32, rising."""
    if len(packed) % _NUMBER.itemsize == 0:
        return np.frombuffer(packed, _NUMBER).astype(np.int32)
    bits = np.unpackbits(np.frombuffer(packed, np.uint8))
    return np.flatnonzero(bits).astype(np.int32)
