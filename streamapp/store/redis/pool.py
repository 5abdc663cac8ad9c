"""A bounded pool of connections: a task that finds none waits for its turn."""

import asyncio
import sys
from typing import Any

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection


class WaitingPool(ConnectionPool):
    """Hands out a bounded number of connections, in the order in which tasks ask.

    redis-py has two pools: one raises `MaxConnectionsError`, the other waits with a timeout, and
    may forget a waiting task when another one is cancelled.
    """

    def __init__(self, *, connections: int, **options: Any) -> None:
        """Make an empty pool.

        Args:
            connections: Most connections at a time; > 0.
            options: The options of redis-py's pool.
        """
        # The semaphore is the limit. The pool's own limit would be an error.
        super().__init__(max_connections=sys.maxsize, **options)
        self._unused = asyncio.Semaphore(connections)

    async def get_connection(
        self, command_name: Any = None, *keys: Any, **options: Any
    ) -> AbstractConnection:
        """Return a connection that is connected; wait until one is free.

        Raises:
            RedisConnectionError: Redis does not answer.
        """
        await self._unused.acquire()
        try:
            connection: AbstractConnection = self.get_available_connection()  # type: ignore[no-untyped-call]
        except BaseException:
            self._unused.release()
            raise
        try:
            await self.ensure_connection(connection)
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def release(self, connection: AbstractConnection) -> None:
        """Take a connection back; the task that has waited longest gets it."""
        try:
            await super().release(connection)
        finally:
            self._unused.release()
