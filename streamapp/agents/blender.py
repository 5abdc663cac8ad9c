"""Agents. Blender: histories and the lists of items that stand in Redis -> lists for users.

A list that is short is filled with what is trending, in that order, behind everything else.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from streamapp.agents.item_lists import Decoded, ItemLists
from streamapp.agents.outside import Outside
from streamapp.core.arrays import Bools, Floats, Longs
from streamapp.core.blending import Blended, Tastes, blend
from streamapp.core.listing import encode_user_lists
from streamapp.core.registry import Registry


class Made(NamedTuple):
    """Lists for some users.

    Attributes:
        contents: The list of each; b"" where there is nothing to show.
        short: bool, shape (users,). Whether what is trending has a place in the list.
    """

    contents: list[bytes]
    short: Bools


class Blender:
    """Makes lists for the users of one partition."""

    def __init__(self, outside: Outside) -> None:
        self._items = ItemLists(outside)
        self._rule = outside.settings.user_rule
        self._decay = outside.settings.decay

    async def lists(
        self,
        users: Sequence[str],
        histories: Sequence[bytes],
        registry: Registry,
        seq: int,
        since: float,
    ) -> Made:
        """Return the list of each user.

        Args:
            users: Whose lists.
            histories: What each of them has done, packed by `entry_of`.
            registry: The items by the numbers that the histories use.
            seq: Of the lists.
            since: Monotonic time in seconds; lists of items that were read later are new enough.
        """
        if self._items.full:
            self._items.forget()
        tastes = self._tastes(histories, registry)
        used = self._used(tastes)
        items = np.unique(tastes.item[used])
        lists = await self._items.read(items, since)
        numbers = self._items.registry
        blended = blend(tastes, self._items.neighbours(items, lists), numbers, self._rule)
        times = np.full(len(numbers), -np.inf)
        times[items] = [one.as_of for one in lists]
        as_of = _newest(tastes, used, times)
        short: Bools = blended.size < self._rule.top_n
        fillers: list[list[str]] = [[] for _ in users]
        if short.any():
            trending = await self._items.trending(since)
            fillers = self._fillers(tastes, blended, trending, as_of)
        contents = encode_user_lists(users, blended, fillers, seq, as_of, numbers)
        return Made(list(contents), short)

    async def outdated(
        self,
        histories: Sequence[bytes],
        registry: Registry,
        made_at: Floats,
        short: Bools,
        since: float,
    ) -> Bools:
        """Say of each user whether the list may be another one, as what it was made of changed.

        Args:
            histories: What each of them has done, packed by `entry_of`.
            registry: The items by the numbers that the histories use.
            made_at: float64. Monotonic times in seconds at which the lists were made here.
            short: bool. Whether what is trending has a place in the list.
            since: Monotonic time in seconds; lists of items that were read later are new enough.

        Cost: O(entries that lists are made of), and nothing for what a list shows.
        """
        tastes = self._tastes(histories, registry)
        used = self._used(tastes)
        items = np.unique(tastes.item[used])
        lists = await self._items.read(items, since)
        times = np.full(len(self._items.registry), -np.inf)
        times[items] = [one.new_at for one in lists]
        outdated: Bools = _newest(tastes, used, times) >= made_at
        if short.any():
            trending = await self._items.trending(since)
            outdated |= short & (trending.new_at >= made_at)
        return outdated

    def _tastes(self, histories: Sequence[bytes], registry: Registry) -> Tastes:
        """Return what the histories say, by the numbers that items have here."""
        tastes = Tastes.unpack(histories, registry, self._decay)
        return replace(tastes, item=self._items.numbered(tastes.item, registry))

    def _used(self, tastes: Tastes) -> Longs:
        """Return where the entries are whose items' lists are used."""
        sizes = np.diff(tastes.starts)
        position = np.arange(len(tastes.item)) - np.repeat(tastes.starts[:-1], sizes)
        return np.flatnonzero(position < self._rule.depth)

    def _fillers(
        self, tastes: Tastes, blended: Blended, trending: Decoded, as_of: Floats
    ) -> list[list[str]]:
        """Return what each list is filled with; raise its time to that of what is trending."""
        fillers: list[list[str]] = [[] for _ in blended.size]
        ids, popular = self._items.registry.ids, trending.items.tolist()
        excluded = np.where(tastes.rating >= self._rule.exclude_from, tastes.item, -1)
        for line in np.flatnonzero(blended.size < self._rule.top_n).tolist():
            size = int(blended.size[line])
            out = set(blended.item[line, :size].tolist())
            out.update(excluded[tastes.starts[line] : tastes.starts[line + 1]].tolist())
            some = [number for number in popular if number not in out][: self._rule.top_n - size]
            fillers[line] = [ids[number] for number in some]
            if some:
                as_of[line] = max(as_of[line], trending.as_of)
        return fillers


def _newest(tastes: Tastes, used: Longs, times: Floats) -> Floats:
    """Return the newest of the times, by item, of what each user's list is made from."""
    users = np.repeat(np.arange(len(tastes.starts) - 1), np.diff(tastes.starts))
    newest = np.full(len(tastes.starts) - 1, -np.inf)
    np.maximum.at(newest, users[used], times[tastes.item[used]])
    return newest
