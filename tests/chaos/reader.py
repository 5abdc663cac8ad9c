"""A frontend that reads all lists all the time; no list may be torn or older than before."""

import asyncio
from contextlib import aclosing, suppress

import orjson
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import RedisClusterException, RedisError

from tests.chaos.journal import Journal
from tests.chaos.state import StateCluster, StatePair
from tests.servers.deployment import Deployment

_INTERVAL_S = 0.1


class Reader:
    """Reads every list again and again, straight from the servers.

    A list may be older only after a replica that is behind takes the primary's place.
    """

    def __init__(
        self, deployment: Deployment, state: StatePair | StateCluster, journal: Journal
    ) -> None:
        """Make it, without connecting.

        Args:
            deployment: The deployment whose lists it reads.
            state: The Redis that holds them.
            journal: Records what no reader should see.
        """
        self._prefix = deployment.env["STREAMAPP_LIST_PREFIX"]
        self._state = state
        self._journal = journal
        self._seen: dict[bytes, int] = {}
        self._stopping = False

    def stop(self) -> None:
        """Let `run` return soon; redis-py may take a cancellation for its own timeout's."""
        self._stopping = True

    async def run(self) -> None:
        """Read until `stop`."""
        while not self._stopping:
            promotions = self._state.promotions
            self._seen.clear()
            async with aclosing(self._state.reader()) as redis:
                while promotions == self._state.promotions and not self._stopping:
                    with suppress(RedisError, RedisClusterException, OSError):
                        await self._read(redis, promotions)
                    await asyncio.sleep(_INTERVAL_S)

    async def _read(self, redis: Redis, promotions: int) -> None:
        keys = [key async for key in redis.scan_iter(f"{self._prefix}*", count=10_000)]
        every = redis.mget_nonatomic if isinstance(redis, RedisCluster) else redis.mget
        values = await every(keys) if keys else []
        if self._state.promoting or promotions != self._state.promotions:
            return
        self._journal.counts["lists read"] += len(values)
        for key, value in zip(keys, values, strict=True):
            if value is None:
                continue
            try:
                content = orjson.loads(value)
                seq, entries = content["seq"], content["items"]
            except (ValueError, KeyError):
                self._journal.surprise("reader", f"{key!r} is torn: {value!r}")
                continue
            if not entries:
                self._journal.surprise("reader", f"{key!r} is empty")
            if seq < self._seen.get(key, 0):
                self._journal.surprise("reader", f"{key!r} fell from {self._seen[key]} to {seq}")
            self._seen[key] = seq
