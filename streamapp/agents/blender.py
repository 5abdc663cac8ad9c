"""Agents. Blender: histories and the lists of items that stand in Redis -> lists for users.

A list that is short is filled with what is trending, in that order, behind everything else.
"""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np

from streamapp.agents.outside import Outside
from streamapp.core.arrays import Floats, Ints, Longs
from streamapp.core.blending import Blended, Neighbours, Tastes, blend
from streamapp.core.listing import TRENDING, decode_scores, encode_user_lists
from streamapp.core.registry import Registry
from streamapp.errors import StateError

_ITEM = "item"

_LISTS_REMEMBERED = 20_000
"""Lists of items that are kept as arrays; a list that reads as before is not decoded again."""


class _Decoded:
    """A list of an item, with the bytes that it was decoded from."""

    __slots__ = ("as_of", "content", "items", "scores")

    def __init__(self, content: bytes, registry: Registry) -> None:
        self.content = content
        self.items: Ints = np.zeros(0, np.int32)
        self.scores: Floats = np.zeros(0)
        self.as_of = -np.inf
        if content:
            value = decode_scores(content)
            self.items = registry.number([entry.id for entry in value.items])
            self.scores = np.array([entry.score for entry in value.items], np.float64)
            self.as_of = value.as_of


class Blender:
    """Makes lists for the users of one partition."""

    def __init__(self, outside: Outside) -> None:
        self._lists = outside.lists
        self._rule = outside.settings.user_rule
        self._decay = outside.settings.decay
        self._begin()

    def _begin(self) -> None:
        """Forget all items; numbers here are those of items that some list was made with."""
        self._registry = Registry()
        self._decoded: dict[int, _Decoded] = {}
        self._own: Ints = np.zeros(0, np.int32)
        self._trending = _Decoded(b"", self._registry)

    async def lists(
        self, users: Sequence[str], histories: Sequence[bytes], registry: Registry, seq: int
    ) -> list[bytes]:
        """Return the list of each user as of now; b"" where there is nothing to show.

        Args:
            users: Whose lists.
            histories: What each of them has done, packed by `entry_of`.
            registry: The items by the numbers that the histories use.
            seq: Of the lists.
        """
        if len(self._decoded) > _LISTS_REMEMBERED:
            self._begin()
        tastes = Tastes.unpack(histories, registry, self._decay)
        tastes = replace(tastes, item=self._numbered(tastes.item, registry))
        used = self._used(tastes)
        neighbours, times = await self._neighbours(np.unique(tastes.item[used]))
        blended = blend(tastes, neighbours, self._registry, self._rule)
        as_of = _newest(tastes, used, times)
        fillers = await self._fillers(tastes, blended, as_of)
        return list(encode_user_lists(users, blended, fillers, seq, as_of, self._registry))

    async def _fillers(self, tastes: Tastes, blended: Blended, as_of: Floats) -> list[list[str]]:
        """Return what each list is filled with; raise its time to that of what is trending."""
        fillers: list[list[str]] = [[] for _ in blended.size]
        short = np.flatnonzero(blended.size < self._rule.top_n).tolist()
        (content,) = await self._lists.standing(TRENDING, [""]) if short else [b""]
        if not content:
            return fillers
        if self._trending.content != content:
            self._trending = self._decode("", content)
        trending = self._trending.items.tolist()
        excluded = np.where(tastes.rating >= self._rule.exclude_from, tastes.item, -1)
        for line in short:
            size = int(blended.size[line])
            out = set(blended.item[line, :size].tolist())
            out.update(excluded[tastes.starts[line] : tastes.starts[line + 1]].tolist())
            some = [number for number in trending if number not in out][: self._rule.top_n - size]
            fillers[line] = [self._registry.ids[number] for number in some]
            if some:
                as_of[line] = max(as_of[line], self._trending.as_of)
        return fillers

    def _numbered(self, items: Ints, registry: Registry) -> Ints:
        """Return the same items by the numbers that they have here."""
        if len(registry) > len(self._own):
            known = self._own
            self._own = np.full(2 * len(registry), -1, np.int32)
            self._own[: len(known)] = known
        new = np.unique(items[self._own[items] < 0])
        self._own[new] = self._registry.number([registry.ids[number] for number in new.tolist()])
        return self._own[items]

    def _used(self, tastes: Tastes) -> Longs:
        """Return where the entries are whose items' lists are used."""
        sizes = np.diff(tastes.starts)
        position = np.arange(len(tastes.item)) - np.repeat(tastes.starts[:-1], sizes)
        return np.flatnonzero(position < self._rule.depth)

    async def _neighbours(self, items: Ints) -> tuple[Neighbours, Floats]:
        """Return the lists of these items, and by number their newest event times."""
        names = [self._registry.ids[number] for number in items.tolist()]
        contents = await self._lists.standing(_ITEM, names)
        decoded = []
        for number, name, content in zip(items.tolist(), names, contents, strict=True):
            known = self._decoded.get(number)
            if known is None or known.content != content:
                known = self._decoded[number] = self._decode(name, content)
            decoded.append(known)
        row = np.full(len(self._registry), -1, np.int32)
        row[items] = np.arange(len(items), dtype=np.int32)
        times = np.full(len(self._registry), -np.inf)
        times[items] = [one.as_of for one in decoded]
        sizes = [0, *(len(one.items) for one in decoded)]
        return Neighbours(
            row,
            np.cumsum(sizes),
            np.concatenate([np.zeros(0, np.int32), *(one.items for one in decoded)]),
            np.concatenate([np.zeros(0), *(one.scores for one in decoded)]),
        ), times

    def _decode(self, name: str, content: bytes) -> _Decoded:
        kind = _ITEM if name else TRENDING
        try:
            return _Decoded(content, self._registry)
        except msgspec.DecodeError as error:
            raise StateError(
                f"redis holds no list under {self._lists.key(kind, name)}: {error}; remove the "
                "key, and keep other programs from writing there"
            ) from None


def _newest(tastes: Tastes, used: Longs, times: Floats) -> Floats:
    """Return the newest event time behind the lists that each user's list was made from."""
    users = np.repeat(np.arange(len(tastes.starts) - 1), np.diff(tastes.starts))
    newest = np.full(len(tastes.starts) - 1, -np.inf)
    np.maximum.at(newest, users[used], times[tastes.item[used]])
    return newest
