"""UserListBlender: histories and the lists of items that stand in Redis -> lists for users.

A list that is short is filled with what is trending, in that order, behind everything else.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from streamapp.agents.runtime.context import StageContext
from streamapp.core.arrays.digest import digests
from streamapp.core.arrays.dtypes import Bools, Floats, Ints, Longs
from streamapp.core.histories.profiles import Profiles
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.blending import Blended, blend
from streamapp.core.lists.list_cache import CachedList
from streamapp.core.lists.list_format import encode_user_lists


class Made(NamedTuple):
    """Lists for some users.

    Attributes:
        blended: What is in them.
        as_of: float64, shape (users,). Newest event time behind each.
        digest: int64, shape (users,). Equal where all entries are, as long as the worker lives.
        short: bool, shape (users,). Whether what is trending has a place in the list.
        version: The highest that a list has which they could be made of.
    """

    blended: Blended
    as_of: Floats
    digest: Longs
    short: Bools
    version: int


class UserListBlender:
    """Makes lists for the users of one partition.

    Args:
        outside: Settings and the lists of items.
        registry: The items by the numbers that the histories use.
    """

    def __init__(self, outside: StageContext, registry: Registry) -> None:
        self._items = outside.item_lists
        self._registry = registry
        self._rule = outside.settings.user_rule
        self._decay = outside.settings.decay
        self._numbers: Ints = np.zeros(0, np.int32)

    async def lists(self, histories: Sequence[bytes], since: float) -> Made:
        """Return the list of each user.

        Args:
            histories: What each of them has done, packed by `entry_of`.
            since: Monotonic time in seconds; lists of items that were read later are new enough.
        """
        shelf, registry = self._items.shelf, self._items.registry
        profiles = self._tastes(histories)
        used = self._used(profiles)
        standing = await self._items.read(shelf, np.unique(profiles.item[used]), since)
        blended = blend(profiles, shelf.neighbours, registry, self._rule)
        as_of = _newest(profiles, used, shelf.as_of[shelf.line[profiles.item[used]]])
        short = blended.size < self._rule.top_n
        filled = self._filled(profiles, blended, short, standing.trending, as_of)
        return Made(filled, as_of, digests(*filled), short, standing.version)

    def encoded(
        self, made: Made, lines: Sequence[int], users: Sequence[str], seq: int
    ) -> list[bytes]:
        """Return some of the lists as they are published; b"" where there is nothing to show.

        Args:
            made: The lists.
            lines: Which of them.
            users: Whose those are.
            seq: Of all of them.
        """
        places = np.array(lines, np.int64)
        some, as_of = made.blended.only(places), made.as_of[places]
        return encode_user_lists(users, some, seq, as_of, self._items.registry)

    async def outdated(
        self, histories: Sequence[bytes], made_of: Longs, short: Bools, since: float
    ) -> Bools:
        """Say of each user whether the list may be another one, as what it was made of changed.

        Args:
            histories: What each of them has done, packed by `entry_of`.
            made_of: int64. The versions that the lists were made of here; -1 for none.
            short: bool. Whether what is trending has a place in the list.
            since: Monotonic time in seconds; lists of items that were read later are new enough.

        Cost: O(entries that lists are made of), and nothing for what a list shows.
        """
        shelf = self._items.shelf
        profiles = self._tastes(histories)
        used = self._used(profiles)
        standing = await self._items.read(shelf, np.unique(profiles.item[used]), since)
        newest = _newest(profiles, used, shelf.version[shelf.line[profiles.item[used]]])
        outdated: Bools = (newest > made_of) | short & (standing.trending.version > made_of)
        return outdated

    def _tastes(self, histories: Sequence[bytes]) -> Profiles:
        """Return what the histories say, by the numbers that items have in all lists."""
        profiles = Profiles.unpack(histories, self._registry, self._decay)
        if len(self._registry) > len(self._numbers):
            known = self._numbers
            self._numbers = np.full(2 * len(self._registry), -1, np.int32)
            self._numbers[: len(known)] = known
        new = np.unique(profiles.item[self._numbers[profiles.item] < 0])
        ids = self._registry.ids
        self._numbers[new] = self._items.registry.number([ids[number] for number in new.tolist()])
        return replace(profiles, item=self._numbers[profiles.item])

    def _used(self, profiles: Profiles) -> Longs:
        """Return where the entries are whose items' lists are used."""
        sizes = np.diff(profiles.starts)
        position = np.arange(len(profiles.item)) - np.repeat(profiles.starts[:-1], sizes)
        return np.flatnonzero(position < self._rule.depth)

    def _filled(
        self,
        profiles: Profiles,
        blended: Blended,
        short: Bools,
        trending: CachedList,
        as_of: Floats,
    ) -> Blended:
        """Return the lists with what is trending behind their own entries, where they are short.

        The time of a list that is filled rises to that of what is trending.
        """
        size, item = blended.size.copy(), blended.item.copy()
        popular = trending.items.tolist()
        excluded = np.where(profiles.rating >= self._rule.exclude_from, profiles.item, -1)
        for line in np.flatnonzero(short).tolist():
            first, room = int(size[line]), self._rule.top_n
            out = set(item[line, :first].tolist())
            out.update(excluded[profiles.starts[line] : profiles.starts[line + 1]].tolist())
            some = [number for number in popular if number not in out][: room - first]
            size[line] += len(some)
            item[line, first : first + len(some)] = some
            if some:
                as_of[line] = max(as_of[line], trending.as_of)
        return blended._replace(size=size, item=item)


def _newest(profiles: Profiles, used: Longs, times: Floats | Longs) -> Floats:
    """Return the largest of the times, of the used entries, for each user."""
    users = np.repeat(np.arange(len(profiles.starts) - 1), np.diff(profiles.starts))
    newest = np.full(len(profiles.starts) - 1, -np.inf)
    np.maximum.at(newest, users[used], times)
    return newest
