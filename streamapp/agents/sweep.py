"""Agents. A sweep: all users of a partition, some at a time, after lists of items have changed.

Shards say in their heads how many lists they have published. A sweep that began after that was read
has compared every list for a user with those lists of items.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from redis.asyncio import Redis

from streamapp.agents.pace import Pace
from streamapp.store.keys import SlotKeys, rows_tag

_USERS_AT_ONCE = 128

_REST = 3
"""A sweep takes a quarter of the time at most."""


class Sweep:
    """The sweeps over one partition.

    Args:
        redis: A client that answers in bytes.
        prefix: Of the state.
        interval_s: Seconds between two sweeps.
        shards: How many shards publish lists of items.
    """

    def __init__(self, redis: Redis, prefix: str, interval_s: float, shards: int) -> None:
        self._redis = redis
        self._heads = [SlotKeys(prefix, rows_tag(shard)).head for shard in range(shards)]
        self._interval_s = interval_s
        self._due_at = time.monotonic()
        self._queue: list[str] = []
        self._under_way = self._seen = ""
        self.pace = Pace(0.0, _REST)

    @property
    def due_in_s(self) -> float:
        """The seconds until there is something to look at, or to see whether there is."""
        if self._under_way:
            return max(0.0, self.pace.due_in_s(busy=True))
        return max(0.0, self._due_at - time.monotonic())

    async def next(self, users: Iterable[str]) -> list[str]:
        """Return who is to be looked at next, which may be nobody; `users` are all there are."""
        if not self._under_way:
            published = await self._published()
            self._due_at = time.monotonic() + self._interval_s
            if published == self._seen:
                return []
            self._queue, self._under_way = list(users), published
        some = self._queue[-_USERS_AT_ONCE:]
        del self._queue[-_USERS_AT_ONCE:]
        return some

    def ended(self) -> str:
        """Return what was published when a sweep began that has ended now; "" if none has."""
        if not self._under_way or self._queue:
            return ""
        self._seen, self._under_way = self._under_way, ""
        self._due_at = time.monotonic() + self._interval_s
        return self._seen

    async def _published(self) -> str:
        heads: list[Any] = await asyncio.gather(*(published(self._redis, k) for k in self._heads))
        return ",".join(heads)


async def published(redis: Redis, head: str) -> str:
    """Return what changes whenever a shard with this head has published lists."""
    values: Any = await redis.hmget(head, ["position", "published"])
    return ":".join("" if value is None else value.decode() for value in values)
