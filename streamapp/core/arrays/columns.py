"""Named arrays of one length, which grow together."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from streamapp.core.arrays.growing import resized


class Columns:
    """Arrays by name, all with the same number of entries; new entries are zero.

    An array is replaced when it grows. So an owner does not keep one, but offers each as a property
    with its type.

    Args:
        dtypes: The type of each array, by name.
        size: Entries at the start.
    """

    def __init__(self, dtypes: Mapping[str, npt.DTypeLike], size: int = 0) -> None:
        self._arrays: dict[str, npt.NDArray[Any]] = {
            name: np.zeros(size, dtype) for name, dtype in dtypes.items()
        }
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self._arrays[name]

    def reserve(self, size: int) -> None:
        """Grow to exactly `size` entries; a smaller size changes nothing. Cost: O(entries)."""
        if size > self._size:
            self._arrays = {name: resized(array, size) for name, array in self._arrays.items()}
            self._size = size

    def grow(self, size: int) -> None:
        """Grow to at least `size` entries, to twice as many as before when they must grow.

        Cost: amortised O(1) per entry.
        """
        if size > self._size:
            self.reserve(max(size, 2 * self._size, 16))


def column(packed: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Return one field of structured records as a writable array of its own.

    numba compiles a kernel once more for an array that is read-only, as a view of bytes is.
    """
    return np.array(packed[name])
