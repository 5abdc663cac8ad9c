"""A sweep: all users of a partition, some at a time, after lists of items have changed.

Shards say in their heads how many lists they have published. A sweep that began after that was read
has compared every list for a user with those lists of items. It begins when the shards have come to
rest: whatever is made before that would be made again. Where they never do, it begins now and then,
and within an interval where lists of items no longer show what the catalogue has hidden: such a
sweep is urgent, others take what records that come in leave of the worker's time.
"""

import time
from collections.abc import Iterable, Sequence
from operator import ge

from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.throttle import DutyCycle
from streamapp.core.list_kinds import TRENDING
from streamapp.store.slot.head import ShardHead
from streamapp.store.slot.keys import SlotKeys, rows_tag
from streamapp.store.versions import positions_of, published_text, read_heads

_USERS_AT_ONCE = 128

_REST = 1
"""While interactions wait, a sweep that is urgent takes half of the time at most."""

_POLLS = 3
"""How often within the interval shards are asked."""

_PATIENCE = 10
"""Intervals after which a sweep begins while shards publish all the time."""


class UserSweep:
    """The sweeps over one partition.

    Args:
        outside: Settings and connections; lists are compared within `REFRESH_INTERVAL` of the
            moment at which those of items come to rest.
        shards: How many shards publish lists of items.
    """

    def __init__(self, outside: StageContext, shards: int) -> None:
        settings = outside.settings
        self._redis, self._lists = outside.redis, outside.lists
        prefix, self._interval_s = outside.pipeline.state_prefix, settings.refresh_interval
        self._heads = [SlotKeys(prefix, rows_tag(shard)).head for shard in range(shards)]
        self._due_at = time.monotonic()
        self._began_at = time.monotonic()
        self._queue: list[str] = []
        self._under_way = self._seen = self._polled = ""
        self._polled_at = time.monotonic()
        self._turned = self._swept = [0] * shards
        self._leisure = outside.leisure
        self._urgent = False
        self.pace = DutyCycle(0.0, _REST)

    def due_in_s(self, *, busy: bool) -> float:
        """Return the seconds until there is something to look at, or to see whether there is."""
        if self._under_way:
            if self._urgent:
                return max(0.0, self.pace.due_in_s(busy=busy))
            return max(0.0, self._leisure.due_in_s(self.pace))
        return max(0.0, self._due_at - time.monotonic())

    @property
    def since(self) -> float:
        """Monotonic time in seconds; lists of items that were read later are as new as is asked."""
        return self._polled_at

    async def next(self, users: Iterable[str], *, quiet: bool) -> list[str]:
        """Return who is to be looked at next, which may be nobody.

        Args:
            users: All users.
            quiet: Whether the partition is at rest itself.
        """
        now = time.monotonic()
        if not self._under_way:
            before = self._polled
            self._polled = await self._published()
            if self._polled != before:
                self._polled_at = time.monotonic()
            self._due_at = now + self._interval_s / _POLLS
            self._urgent = self._turned != self._swept
            patience = 1 if self._urgent else _PATIENCE
            impatient = now > self._began_at + patience * self._interval_s
            if self._polled == self._seen or not (impatient or (quiet and self._polled == before)):
                return []
            self._under_way, self._began_at = self._polled, now
            self._swept = self._turned
            self._leisure.begin(self.pace)
            self._queue = list(users)
        elif not self._urgent and now >= self._due_at:
            # What was hidden meanwhile waits for the end of this sweep, and then for another one.
            await self._published()
            self._due_at = now + self._interval_s / _POLLS
            self._urgent = self._turned != self._swept
        some = self._queue[-_USERS_AT_ONCE:]
        del self._queue[-_USERS_AT_ONCE:]
        return some

    def ended(self) -> str:
        """Return what was published when a sweep began that has ended now; "" if none has."""
        if not self._under_way or self._queue:
            return ""
        self._leisure.end(self.pace)
        self._seen, self._under_way = self._under_way, ""
        return self._seen

    async def _published(self) -> str:
        heads = await read_heads(
            self._redis,
            self._heads,
            ShardHead,
            "published",
            "listed_update_offset",
            "trending_version",
        )
        (trending,) = await self._lists.standing(TRENDING, [""])
        self._turned = _turned(heads) or self._turned
        return published_text(heads, trending)


def _turned(heads: Sequence[ShardHead | None]) -> list[int]:
    """Return up to which offset the lists of each shard follow catalogue updates.

    Nothing until the trending lists follow them too.
    """
    turned = [head.listed_update_offset if head else 0 for head in heads]
    merged = positions_of(heads[0].trending_version if heads[0] else "")
    known = len(merged) == len(turned) and all(map(ge, merged, turned))
    return turned if known else []
