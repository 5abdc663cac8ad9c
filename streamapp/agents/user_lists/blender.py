"""Makes lists for users from their histories and from item lists.

A short list is filled with trending items, in their order, behind its own entries.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from streamapp.agents.runtime.context import StageContext
from streamapp.agents.user_lists.made_lists import MadeLists
from streamapp.config.rules import user_rule
from streamapp.core.arrays.array_types import Bools, Floats, Ints, Longs
from streamapp.core.histories.profiles import Hidden, Profiles
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.blending import Blended, blend
from streamapp.core.lists.list_cache import CachedList
from streamapp.core.lists.list_digest import list_digests
from streamapp.core.lists.list_format import encode_user_lists


class UserListBlender:
    """Makes lists for the users of one partition.

    Args:
        context: Settings and the cache of item lists.
        registry: Items by the numbers that the histories use.
    """

    def __init__(self, context: StageContext, registry: Registry) -> None:
        self._items = context.item_lists
        self._registry = registry
        self._rule = user_rule(context.settings)
        self._tolerance = context.settings.list_tolerance
        self._history_rule = context.pipeline.history_rule
        self._numbers: Ints = np.zeros(0, np.int32)

    async def make(self, histories: Sequence[bytes], read_after: float) -> MadeLists:
        """Return the list of each user.

        Args:
            histories: The history of each user, as it is stored.
            read_after: Monotonic time in seconds; item lists that were read later are new enough.
        """
        cache, registry = self._items.cached, self._items.registry
        profiles = self._profiles(histories)
        used = self._used(profiles)
        read = await self._items.read(cache, np.unique(profiles.item[used]), read_after)
        blended = blend(profiles, cache.neighbours, registry, self._rule)
        as_of = _newest(profiles, used, cache.as_of[cache.line[profiles.item[used]]])
        short = blended.size < self._rule.top_n
        filled = self._filled(profiles, blended, short, read.trending, as_of)
        digest = order = list_digests(*filled)
        if self._tolerance:
            order = list_digests(*filled._replace(score=np.zeros_like(filled.score)))
        return MadeLists(filled, as_of, digest, order, short, read.version)

    def encode(
        self, made: MadeLists, lines: Sequence[int], users: Sequence[str], seq: int
    ) -> list[bytes]:
        """Return some of the lists as they are published; b"" for an empty list.

        Args:
            made: The lists.
            lines: Which of them.
            users: The users of these.
            seq: The `seq` of all of them.
        """
        chosen = np.array(lines, np.int64)
        some, as_of = made.blended.only(chosen), made.as_of[chosen]
        return encode_user_lists(users, some, seq, as_of, self._items.registry)

    async def outdated(
        self, histories: Sequence[bytes], versions: Longs, short: Bools, read_after: float
    ) -> Bools:
        """Say of each user whether the list may differ, because item lists changed.

        Args:
            histories: The history of each user, as it is stored.
            versions: int64. The version of the item lists that each was made of; -1 for none.
            short: bool. Whether trending items may be in the list.
            read_after: Monotonic time in seconds; item lists that were read later are new enough.

        Cost: O(entries that lists are made of), and nothing for the entries of a list.
        """
        cache = self._items.cached
        profiles = self._profiles(histories)
        used = self._used(profiles)
        read = await self._items.read(cache, np.unique(profiles.item[used]), read_after)
        newest = _newest(profiles, used, cache.version[cache.line[profiles.item[used]]])
        outdated: Bools = (newest > versions) | short & (read.trending.version > versions)
        return outdated

    def _profiles(self, histories: Sequence[bytes]) -> Profiles:
        """Decode histories, with the item numbers of the cache."""
        profiles = Profiles.unpack(histories, self._registry, self._history_rule)
        if len(self._registry) > len(self._numbers):
            known = self._numbers
            self._numbers = np.full(2 * len(self._registry), -1, np.int32)
            self._numbers[: len(known)] = known
        hidden = profiles.hidden or Hidden.nothing(len(histories))
        named = np.concatenate((profiles.item, hidden.item))
        new = np.unique(named[self._numbers[named] < 0])
        ids = self._registry.ids
        self._numbers[new] = self._items.registry.number([ids[number] for number in new.tolist()])
        hidden = replace(hidden, item=self._numbers[hidden.item])
        return replace(profiles, item=self._numbers[profiles.item], hidden=hidden)

    def _used(self, profiles: Profiles) -> Longs:
        """Return the positions of the entries whose item lists are used."""
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
        """Return the lists, the short ones filled with trending items behind their own entries.

        The `as_of` of a list that is filled rises to that of the trending items.
        """
        size, item = blended.size.copy(), blended.item.copy()
        popular = trending.items.tolist()
        excluded = np.where(profiles.rating >= self._rule.exclude_from, profiles.item, -1)
        hidden = profiles.hidden or Hidden.nothing(len(profiles.starts) - 1)
        for line in np.flatnonzero(short).tolist():
            first, room = int(size[line]), self._rule.top_n
            out = set(item[line, :first].tolist())
            out.update(excluded[profiles.starts[line] : profiles.starts[line + 1]].tolist())
            out.update(hidden.item[hidden.starts[line] : hidden.starts[line + 1]].tolist())
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
