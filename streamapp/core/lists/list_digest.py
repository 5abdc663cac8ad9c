"""Digests of lists, by which a list that did not change is not published again.

Source: Fowler, Noll and Vo's hash FNV-1a, over words instead of bytes, with a shift after each.
"""

import numpy as np

from streamapp.core.arrays.array_types import Floats, Ints, Longs
from streamapp.core.arrays.compiled import compiled

_BASIS = 14695981039346656037
_PRIME = 1099511628211


@compiled
def list_digest(item: Ints, score: Floats, about: Ints) -> int:
    """Return a digest of 64 bits of the entries of one list.

    Args:
        item: int32. Item numbers, best first.
        score: float64. Of each entry.
        about: int32. The support or the reason of each entry.
    """
    total = np.uint64(_BASIS)
    for rank in range(len(item)):
        for word in (
            np.uint64(item[rank]),
            score[rank : rank + 1].view(np.uint64)[0],
            np.uint64(about[rank]),
        ):
            total = (total ^ word) * np.uint64(_PRIME)
            total ^= total >> np.uint64(29)
    return np.int64(total)  # type: ignore[return-value]


@compiled
def list_digests(size: Ints, item: Ints, score: Floats, about: Ints) -> Longs:
    """Return the digest of each line, int64, of its first `size` entries.

    Cost: O(entries).
    """
    found = np.empty(len(size), np.int64)
    for line in range(len(size)):
        full = size[line]
        found[line] = list_digest(item[line, :full], score[line, :full], about[line, :full])
    return found
