"""The array types that the core shares, and how arrays grow and become bytes."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int32]
Longs: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bytes: TypeAlias = npt.NDArray[np.uint8]
Bools: TypeAlias = npt.NDArray[np.bool_]

NOTHING: Bools = np.zeros(0, np.bool_)
"""No item is hidden."""


def resized(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Return `array` with exactly `size` entries along its first axis; new ones are zero."""
    if size == len(array):
        return array
    larger = np.zeros((size, *array.shape[1:]), dtype=array.dtype)
    larger[: len(array)] = array
    return larger


def column(packed: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Return one field of structured records as an array of its own.

    A kernel is compiled anew for one that cannot be written to, as a view of bytes is.
    """
    return np.array(packed[name])


def records(numbers: Longs, packed: npt.NDArray[Any]) -> list[tuple[int, bytes]]:
    """Return (number, bytes) of each of `packed`, structured records in the order of `numbers`."""
    whole, width = packed.tobytes(), packed.itemsize
    return [
        (number, whole[place * width : (place + 1) * width])
        for place, number in enumerate(numbers.tolist())
    ]


def grown(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Return `array` with room for at least `size` entries, at least doubled when it must grow.

    Cost: amortised O(1) per entry appended.
    """
    return array if size <= len(array) else resized(array, max(size, 2 * len(array), 16))
