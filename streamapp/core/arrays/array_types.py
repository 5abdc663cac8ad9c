"""The types of the numpy arrays that the core shares."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int32]
Longs: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bytes: TypeAlias = npt.NDArray[np.uint8]
Bools: TypeAlias = npt.NDArray[np.bool_]

NOTHING_HIDDEN: Bools = np.zeros(0, np.bool_)
"""The mask of hidden items where no item is hidden."""
