"""The array types that the core shares, and how arrays grow."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int32]
Longs: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bytes: TypeAlias = npt.NDArray[np.uint8]
Bools: TypeAlias = npt.NDArray[np.bool_]

NOTHING: Bools = np.zeros(0, np.bool_)
"""The mask of hidden items where no item is hidden."""


def resized(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Return `array` with exactly `size` entries along its first axis; new entries are zero."""
    if size == len(array):
        return array
    larger = np.zeros((size, *array.shape[1:]), dtype=array.dtype)
    larger[: len(array)] = array
    return larger


def grown(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Return `array` with at least `size` entries, twice as many as before when it must grow.

    Cost: amortised O(1) per entry.
    """
    return array if size <= len(array) else resized(array, max(size, 2 * len(array), 16))


def column(packed: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Return one field of structured records as a writable array of its own.

    numba compiles a kernel once more for an array that is read-only, as a view of bytes is.
    """
    return np.array(packed[name])
