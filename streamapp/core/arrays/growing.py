"""Makes arrays longer."""

from typing import Any

import numpy as np
import numpy.typing as npt


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
