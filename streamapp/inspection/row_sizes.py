"""The sizes and the cells of stored rows.

The blob of a row is its position (8 bytes), `as_of` (float64, little endian), then `CELL` records.
`Shard` reads and writes what is behind the position.
"""

from streamapp.core.counts.rows import CELL
from streamapp.core.shard.shard import AS_OF_BYTES
from streamapp.store.slot.blob import POSITION_BYTES

_HEADER_BYTES = POSITION_BYTES + AS_OF_BYTES


def packed_cells(content: bytes) -> bytes:
    """Return the `CELL` records of a row.

    Args:
        content: Of the blob, without its position.

    Raises:
        ValueError: it is no row.
    """
    if len(content) % CELL.itemsize != AS_OF_BYTES:
        raise ValueError(f"a row does not have {POSITION_BYTES + len(content)} bytes")
    return content[AS_OF_BYTES:]


def row_bytes(cells: float) -> float:
    """Return the bytes of a blob of a row with this many cells."""
    return _HEADER_BYTES + cells * CELL.itemsize


def cells_in(rows: int, stored_bytes: int) -> int:
    """Return how many cells are in rows whose blobs have this many bytes together."""
    return (stored_bytes - _HEADER_BYTES * rows) // CELL.itemsize
