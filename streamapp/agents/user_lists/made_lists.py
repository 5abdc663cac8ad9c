"""Lists for some users, before they are published."""

from typing import NamedTuple

from streamapp.core.arrays.array_types import Bools, Floats, Longs
from streamapp.core.lists.blending import Blended


class MadeLists(NamedTuple):
    """Lists for some users.

    Attributes:
        blended: Their entries.
        as_of: float64, shape (users,). Newest event time behind each.
        digest: int64, shape (users,). Equal where all entries are equal, within one process.
        order: int64, shape (users,). Equal where lists may differ by less than LIST_TOLERANCE:
            members, order and reasons are equal. Without a tolerance it equals `digest`.
        short: bool, shape (users,). Whether trending items may be in the list.
        version: The highest version of an item list at that moment.
    """

    blended: Blended
    as_of: Floats
    digest: Longs
    order: Longs
    short: Bools
    version: int
