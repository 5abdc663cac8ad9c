"""The state of a user's published list, as far as a worker knows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from operator import itemgetter
from typing import Self

import numpy as np

from streamapp.agents.user_lists.made_lists import MadeLists
from streamapp.core.arrays.array_types import Bools, Longs


class _Known(Enum):
    """The state of a list without a known digest."""

    UNREAD = auto()
    """The stored list has not been read yet."""

    ABSENT = auto()
    """This state never stored one; a previous state may have left one."""

    REPUBLISH = auto()
    """The topic may lack the stored list, so a new one is published even if it is equal."""


@dataclass(slots=True)
class PublishedList:
    """The known state of a user's list.

    Attributes:
        expires_at: Unix time in seconds at which the list is removed.
        digest: Digest of the entries of the stored list, or the state without one.
        order: Digest of the members, the order and the reasons of the stored list, if `digest` is
            a digest.
        published_at: Monotonic time in seconds at which the list was last replaced.
        source_version: The version of the item lists that it was last made of; -1 for none yet.
        short: Whether trending items may be in it; true of a list that was not made yet.
    """

    expires_at: int
    digest: int | _Known = _Known.UNREAD
    order: int = 0
    published_at: float = -1e9
    source_version: int = -1
    short: bool = True

    @classmethod
    def of_new_user(cls, expires_at: int, *, lists_suspect: bool) -> Self:
        """Return the state of the list of a user who was not in the index.

        Args:
            expires_at: Unix time in seconds.
            lists_suspect: Whether Redis may have lost lists.
        """
        return cls(expires_at, _Known.REPUBLISH if lists_suspect else _Known.ABSENT)

    def republish(self) -> None:
        """Publish the next list even if its entries are those of the stored one."""
        self.digest = _Known.REPUBLISH

    def stand_for(self, digest: int, order: int) -> None:
        """Let the stored list stand for entries with these digests."""
        self.digest, self.order = digest, order

    def must_read(self, content: bytes, order: int) -> bool:
        """Say whether the stored list must be read to find out whether a list differs.

        Args:
            content: The list, whose digest is not `digest`.
            order: The digest of its members, order and reasons.
        """
        if isinstance(self.digest, int):
            return self.order == order
        return self.digest is _Known.UNREAD or (self.digest is _Known.ABSENT and not content)


def indexed_lists(expires_at: Mapping[str, int], latest: int) -> dict[str, PublishedList]:
    """Return the state of the lists in the index, the first to be removed first.

    Args:
        expires_at: Unix time in seconds at which each list is removed, by user.
        latest: No list is removed later. Where lists lived longer under previous settings, new
            lists do not wait behind them.
    """
    by_time = sorted(expires_at.items(), key=itemgetter(1))
    return {user: PublishedList(min(at, latest)) for user, at in by_time}


def expired(published: Mapping[str, PublishedList], before: float, most: int) -> list[str]:
    """Return the users among the first `most` whose lists expired before a Unix time in seconds."""
    return [user for user in islice(published, most) if published[user].expires_at <= before]


def differing(published: Sequence[PublishedList], made: MadeLists) -> list[int]:
    """Return which lists differ from the published ones, as far as that is known."""
    pairs = zip(published, made.digest.tolist(), strict=True)
    return [line for line, (one, digest) in enumerate(pairs) if one.digest != digest]


def record_sources(published: Sequence[PublishedList], made: MadeLists) -> None:
    """Remember the histories behind lists; both are in the same order."""
    for one, short in zip(published, made.short.tolist(), strict=True):
        one.source_version, one.short = made.version, short


def sources(published: Sequence[PublishedList]) -> tuple[Longs, Bools]:
    """Return `source_version` and `short` of each list."""
    versions = np.array([one.source_version for one in published], np.int64)
    return versions, np.array([one.short for one in published], np.bool_)
