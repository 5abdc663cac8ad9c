"""A table whose changed records a checkpoint writes, each with its position."""

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from streamapp.core.arrays.array_types import Bools, Longs
from streamapp.core.arrays.columns import Columns


class RecordTable:
    """A table with one record per number.

    A record is stored with the position of its shard at that time. It then includes every message
    below this offset of the shard's log. After a crash it may be ahead of what is applied, so a
    subclass skips a message that a record includes already.

    Args:
        dtype: The stored record. Its field `position` is an unsigned integer in network byte order;
            the other fields become columns.
        packed: The stored records, one behind the other.
        flags: Names of more columns, bool, that are not stored.
        computed: Fields that are no columns: a subclass writes them in `_pack`.

    Attributes:
        max_stored_position: The largest position of a record in `packed`; 0 without any.
    """

    def __init__(
        self,
        dtype: np.dtype[Any],
        packed: bytes = b"",
        *,
        flags: Collection[str] = (),
        computed: Collection[str] = (),
    ) -> None:
        stored = np.frombuffer(packed, dtype)
        self._dtype = dtype
        self._fields = [name for name in dtype.names or () if name not in {"position", *computed}]
        self._columns = Columns(
            {name: dtype[name] for name in self._fields}
            | {"position": np.int64, "unsaved": np.bool_}
            | dict.fromkeys(flags, np.bool_),
            len(stored),
        )
        for name in ("position", *self._fields):
            self._columns[name][:] = stored[name]
        self.max_stored_position = int(self.position.max(initial=0))

    @property
    def position(self) -> Longs:
        """int64 by number. The position at which each record was stored."""
        return self._columns["position"]

    @property
    def unsaved(self) -> Bools:
        """Bool by number. Records that changed since `packed_changes`."""
        return self._columns["unsaved"]

    def reserve(self, size: int) -> None:
        """Make the numbers below `size` valid; new records are zero."""
        self._columns.reserve(size)

    def packed_changes(self, position: int) -> list[tuple[int, bytes]]:
        """Return (number, packed record) of each record that changed since the last call.

        Args:
            position: The position of the shard.

        Cost: O(numbers).
        """
        numbers = np.flatnonzero(self.unsaved)
        packed = np.empty(len(numbers), self._dtype)
        packed["position"] = position
        self._pack(numbers, packed)
        self.unsaved[numbers] = False
        whole, width = packed.tobytes(), packed.itemsize
        return [
            (number, whole[line * width : (line + 1) * width])
            for line, number in enumerate(numbers.tolist())
        ]

    def _pack(self, numbers: Longs, packed: npt.NDArray[Any]) -> None:
        """Write the fields of the records `numbers` to `packed`."""
        for name in self._fields:
            packed[name] = self._columns[name][numbers]
