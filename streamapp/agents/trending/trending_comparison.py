"""Finds the trending lists that differ from those that readers have."""

from collections.abc import Mapping, Sequence

from streamapp.config.settings import Settings
from streamapp.core.list_kinds import TRENDING
from streamapp.core.lists.list_changes import trending_differs
from streamapp.core.lists.list_format import trending_entries
from streamapp.core.trending.popularity import Popular
from streamapp.store.lists import Lists


class TrendingComparison:
    """What the owner of the trending lists knows of the published ones.

    Args:
        lists: The lists in Redis.
        settings: The settings.
        lists_suspect: Whether lists may be lost; then the list of all items is published even if
            it has no entries.
    """

    def __init__(self, lists: Lists, settings: Settings, *, lists_suspect: bool) -> None:
        self._lists = lists
        self._half_life_s = settings.trending_half_life
        self._tolerance = settings.list_tolerance
        self._lists_suspect = lists_suspect
        self._of_all: tuple[Sequence[Popular], float] | None = None
        self._topic_is_complete = False

    def all_sent(self) -> None:
        """Take in that the topic has every list that Redis holds."""
        self._topic_is_complete = True

    def replaced(self, of_all: Sequence[Popular], as_of: float) -> None:
        """Take in that Redis holds the lists that differed, and their entries for all items."""
        self._of_all = of_all, as_of

    def not_sent(self) -> None:
        """Take in that the topic may lack lists that Redis holds."""
        self._topic_is_complete = False

    async def differing(self, made: Mapping[str, Sequence[Popular]], as_of: float) -> list[str]:
        """Return the categories whose list is to be replaced.

        If the topic may lack lists that Redis holds, a comparison with Redis says nothing, and all
        lists are replaced.

        Args:
            made: Popular items, best first, by category; "" is all items.
            as_of: Newest event time in seconds.
        """
        names = [name for name in made if name or await self._may_differ(made[""], as_of)]
        if not (self._tolerance and self._topic_is_complete):
            return names
        stored = await self._lists.get_many(TRENDING, names)
        return [
            name
            for name, content in zip(names, stored, strict=True)
            if trending_differs(content, made[name], as_of, self._half_life_s, self._tolerance)
        ]

    async def _may_differ(self, of_all: Sequence[Popular], as_of: float) -> bool:
        """Say whether the list of all items may differ from the last one, or be one too many."""
        if (of_all, as_of) == self._of_all:
            return False
        if trending_entries(of_all, as_of, self._half_life_s) or self._lists_suspect:
            return True
        return bool((await self._lists.get_many(TRENDING, [""]))[0])
