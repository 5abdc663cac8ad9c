"""PublishedList: what a worker knows of the list that stands for a user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter

import numpy as np

from streamapp.agents.user_lists.blender import Made
from streamapp.core.arrays.dtypes import Bools, Longs

UNKNOWN = 1 << 64
NEW = 1 << 65
LOST = 1 << 66
"""No digest: what stands is still to be read; nothing stands, unless it is of a state before this
one; or the list is to be published, whatever stands."""


@dataclass(slots=True)
class PublishedList:
    """What is known of a user's list.

    Attributes:
        expires_at: Unix time in seconds at which it is removed.
        digest: Of the entries that stand; `UNKNOWN` until they are read, `NEW` where nobody
            had noted the user, `LOST` where the topic may not have them.
        published_at: Monotonic time in seconds at which it was last replaced.
        made_of: The version of the lists of items that it was last made of; -1 where that was not
            here.
        short: Whether what is trending has a place in it, as it may in one that is not made yet.
    """

    expires_at: int
    digest: int
    published_at: float = -1e9
    made_of: int = -1
    short: bool = True

    def unread(self, content: bytes) -> bool:
        """Say whether what stands has to be read, so that `content` is not published in vain."""
        return self.digest == UNKNOWN or (self.digest == NEW and not content)


def shown_of(expires_at: Mapping[str, int], latest: int) -> dict[str, PublishedList]:
    """Return what is known of the lists of noted users, the first that is removed first.

    Args:
        expires_at: By user.
        latest: Unix time in seconds; where lists lived longer before, those of now are not to wait
            behind them.
    """
    by_time = sorted(expires_at.items(), key=itemgetter(1))
    return {user: PublishedList(min(at, latest), UNKNOWN) for user, at in by_time}


def expired(shown: Mapping[str, PublishedList], before: float, most: int) -> list[str]:
    """Return which of the first users' lists are to be removed by now.

    Args:
        shown: By user, the first that is removed first.
        before: Unix time in seconds.
        most: How many are looked at.
    """
    return [user for user in islice(shown, most) if shown[user].expires_at <= before]


def differing(shown: Sequence[PublishedList], made: Made) -> list[int]:
    """Note what lists were made of; return which are others than stand, as far as that is known.

    Args:
        shown: What is known of those that stand.
        made: The lists, in the same order.
    """
    lines = []
    new = zip(shown, made.digest.tolist(), made.short.tolist(), strict=True)
    for line, (one, digest, short) in enumerate(new):
        one.made_of, one.short = made.version, short
        if one.digest != digest:
            lines.append(line)
    return lines


def made_of(shown: Sequence[PublishedList]) -> tuple[Longs, Bools]:
    """Return `made_of` and `short` of each, int64 and bool."""
    versions = np.array([one.made_of for one in shown], np.int64)
    return versions, np.array([one.short for one in shown], np.bool_)
