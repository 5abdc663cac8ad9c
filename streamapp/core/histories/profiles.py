"""User profiles: decoded histories, as the arrays that `blend` takes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamapp.core.arrays.array_types import Bytes, Floats, Ints, Longs
from streamapp.core.arrays.columns import column
from streamapp.core.arrays.compiled import compiled
from streamapp.core.histories.decay import Decay
from streamapp.core.histories.history import entry_of
from streamapp.core.ids.registry import Registry, precedes


@dataclass(frozen=True, slots=True)
class Profiles:
    """The histories of some users, newest entry first.

    Attributes:
        starts: int64, shape (users + 1,). Those of user u lie at starts[u]:starts[u + 1].
        item: int32. Item numbers; an item without a list, or -1, only takes up its position.
        rating: float64, > 0. Without decay.
        decayed: float64. Where ratings decay, the rating as a share of the largest in the history;
            0 where the share is too small for a float64.
    """

    starts: Longs
    item: Ints
    rating: Floats
    decayed: Floats | None = None

    @classmethod
    def unpack(
        cls, histories: Sequence[bytes], registry: Registry, decay: Decay | None = None
    ) -> "Profiles":
        """Return the profiles of histories that are packed by `entry_of`.

        The newest entry is the one that would be evicted last: by time, then by item id.

        Args:
            histories: Packed histories; b"" of a user without one.
            registry: The items' ids.
            decay: How ratings decay; None: not at all.

        Cost: O(entries), and O(moves) where entries are not sorted.
        """
        entry = entry_of(decay)
        stored = np.frombuffer(b"".join(histories), entry)
        sizes = np.array([len(history) for history in histories], np.int64) // entry.itemsize
        starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))
        item = column(stored, "item")
        order = _newest_first(starts, item, column(stored, "ts"), *registry.text)
        rating = stored["rating"][order]
        if decay is None:
            return cls(starts, item[order], rating)
        return cls(starts, item[order], stored["weight"][order], _shares(starts, rating))


def _shares(starts: Longs, levels: Floats) -> Floats:
    """Return each rating as a share of the largest in its history."""
    sizes = np.diff(starts)
    if not len(levels):
        return np.zeros(0)
    largest = np.maximum.reduceat(levels, starts[:-1][sizes > 0])
    shares: Floats = np.exp2(levels - np.repeat(largest, sizes[sizes > 0]))
    return shares


@compiled
def _newest_first(starts: Longs, item: Ints, ts: Floats, text: Bytes, ends: Longs) -> Longs:
    """Return the order of each history, int64, by insertion from its end: most are sorted."""
    order = np.empty(len(item), np.int64)
    for user in range(len(starts) - 1):
        first, last = starts[user], starts[user + 1]
        for taken in range(last - first):
            entry, rank = last - 1 - taken, first + taken
            while rank > first and (
                ts[entry] > ts[order[rank - 1]]
                or (
                    ts[entry] == ts[order[rank - 1]]
                    and precedes(text, ends, item[order[rank - 1]], item[entry])
                )
            ):
                order[rank] = order[rank - 1]
                rank -= 1
            order[rank] = entry
    return order
