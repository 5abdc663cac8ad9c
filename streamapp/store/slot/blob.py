"""A blob: a history, a row or a product, behind the position that it is complete for.

The position has 8 bytes, unsigned, big endian. `put-blobs.lua` reads it. A blob without content is
a tombstone: it keeps older blobs out.
"""

import struct
from typing import NamedTuple

POSITION_BYTES = 8

_POSITION = struct.Struct(">Q")


class Blob(NamedTuple):
    """A stored blob.

    Attributes:
        position: First offset of the slot's log that it does not include.
        content: A history, a row or a product; b"" in a tombstone.
    """

    position: int
    content: bytes

    @classmethod
    def decode(cls, stored: bytes) -> "Blob":
        """Return the blob that is stored."""
        return cls(_POSITION.unpack_from(stored)[0], stored[POSITION_BYTES:])

    def encode(self) -> bytes:
        """Return the blob as it is stored."""
        return _POSITION.pack(self.position) + self.content


def has_content(size: int) -> bool:
    """Return whether a blob of this many bytes has content; a missing blob has 0 bytes."""
    return size > POSITION_BYTES
