"""A map from numbers to numbers, as an array: one cache miss for a number that is looked up."""

import numpy as np

from streamapp.core.arrays.array_types import Ints
from streamapp.core.arrays.compiled import compiled
from streamapp.core.arrays.growing import grown


class NumberMap:
    """Maps numbers that begin at 0 and have few gaps; 4 to 8 bytes for each up to the largest."""

    def __init__(self) -> None:
        # What each number is mapped to, plus 1; 0 for an unknown one.
        self._values: Ints = np.zeros(0, np.int32)

    def get(self, numbers: Ints) -> Ints:
        """Return what numbers are mapped to, int32; -1 for unknown ones."""
        return _found(self._values, numbers)

    def set(self, numbers: Ints, values: Ints) -> None:
        """Map numbers, at least one, to values."""
        self._values = grown(self._values, int(numbers.max()) + 1)
        self._values[numbers] = values + 1


@compiled
def _found(values: Ints, numbers: Ints) -> Ints:
    found = np.empty(len(numbers), np.int32)
    for line in range(len(numbers)):
        number = numbers[line]
        found[line] = values[number] - 1 if number < len(values) else -1
    return found
