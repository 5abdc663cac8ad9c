"""User profiles: decoded histories, as the arrays that `blend` takes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamapp.core.arrays.array_types import Bytes, Floats, Ints, Longs
from streamapp.core.arrays.compiled import compiled
from streamapp.core.histories.history_rule import HistoryRule
from streamapp.core.histories.marks import entries, unpacked
from streamapp.core.ids.registry import Registry, precedes


@dataclass(frozen=True, slots=True)
class Hidden:
    """The items that some users have hidden.

    Attributes:
        starts: int64, shape (users + 1,). Those of user u lie at starts[u]:starts[u + 1].
        item: int32. Item numbers.
    """

    starts: Longs
    item: Ints

    @classmethod
    def nothing(cls, users: int) -> "Hidden":
        """Return those of users who have hidden nothing."""
        return cls(np.zeros(users + 1, np.int64), np.zeros(0, np.int32))


@dataclass(frozen=True, slots=True)
class Profiles:
    """The histories of some users, newest entry first.

    Attributes:
        starts: int64, shape (users + 1,). Those of user u lie at starts[u]:starts[u + 1].
        item: int32. Item numbers; an item without a list, or -1, only takes up its position.
        rating: float64, > 0. Without decay.
        decayed: float64. Where ratings decay, the rating as a share of the largest in the history;
            0 where the share is too small for a float64.
        hidden: The items that no list of the user shows; None without any.
    """

    starts: Longs
    item: Ints
    rating: Floats
    decayed: Floats | None = None
    hidden: Hidden | None = None

    @classmethod
    def unpack(
        cls, histories: Sequence[bytes], registry: Registry, rule: HistoryRule
    ) -> "Profiles":
        """Return the profiles of stored histories.

        The newest entry is the one that would be evicted last: by time, then by item id.

        Args:
            histories: As they are stored; b"" of a user without one.
            registry: The items' ids.
            rule: How marks make ratings.

        Cost: O(marks), and O(moves) where entries are not sorted.
        """
        starts, item, largest, rating, ts, hidden_starts, hidden = entries(
            *unpacked(histories, rule, registry), rule.types.weight, rule.base, rule.half_life_s
        )
        order = _newest_first(starts, item, ts, *registry.text)
        shares = _shares(starts, rating[order]) if rule.decay else None
        own_hidden = Hidden(hidden_starts, hidden)
        return cls(starts, item[order], largest[order], shares, own_hidden)


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
