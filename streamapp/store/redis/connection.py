"""Connects to Redis, and waits for what passes."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import hiredis
from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterPipeline, RedisCluster
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import (
    AuthenticationError,
    ClusterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    SlotNotCoveredError,
    TryAgainError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)

from streamapp.config.settings import Settings
from streamapp.errors import ConfigError
from streamapp.retry_log import should_log
from streamapp.store.redis.pool import WaitingPool

logger = logging.getLogger(__name__)

_PASSING = (RedisConnectionError, RedisTimeoutError, OutOfMemoryError, ReadOnlyError,
            ClusterDownError, TryAgainError)  # fmt: skip
"""Errors that pass: a worker waits for Redis, because every call of it may be repeated."""

_DISTURBED = (SlotNotCoveredError, AttributeError)
"""What passes on a cluster, too: a slot that no node that answers has, and a call that another one
disturbed. When one fails, redis-py closes idle connections, also those that another takes at that
moment: it finds no writer, an `AttributeError`."""

_REFUSALS = (TypeError, ValueError, RedisError, RedisClusterException)
"""How redis-py refuses what a URL asks for."""

_FOR_EVER = 1_000_000_000
"""Attempts: at one a second, more than thirty years."""

_LARGE_BYTES = 10_000
"""An argument of so many bytes is handed on as it is, where it comes last."""

_NOTHING = b"$0\r\n\r\n"
"""How hiredis packs an empty argument."""


class _Cluster(RedisCluster):
    """Waits for what passes, as the client of one server does.

    redis-py itself repeats less on a cluster: nothing where no node answers, or one is loading or
    out of memory, and nothing that is asked of certain nodes.
    """

    def __init__(self, *, retry: Retry, connections: int, **options: Any) -> None:
        """Make a client that is not connected.

        Args:
            retry: How a call is repeated.
            connections: Most connections to each node: so many calls are under way at a time.
            options: What redis-py takes.
        """
        super().__init__(retry=Retry(NoBackoff(), 0), max_connections=connections, **options)
        self._patience = retry
        self.unused = asyncio.Semaphore(connections)

    async def initialize(self, *args: Any, **options: Any) -> "_Cluster":
        """Learn which node has which slots.

        Raises:
            RedisConnectionError: no node answers, or they do not agree.
        """
        try:
            await super().initialize(*args, **options)
        except RedisClusterException as error:
            raise RedisConnectionError(str(error)) from error
        return self

    async def execute_command(self, *args: Any, target_nodes: Any = None, **options: Any) -> Any:
        """Return the answer to a command.

        Args:
            args: The command.
            target_nodes: What redis-py takes, or a function that returns it: that is called again
                for each attempt, since another node may have taken the place of one that is gone.
            options: What redis-py takes.
        """

        async def attempt() -> Any:
            nodes = target_nodes() if callable(target_nodes) else target_nodes
            asked = options if nodes is None else {**options, "target_nodes": nodes}
            # A call takes one connection of a node at most, so no node runs out of them.
            async with self.unused:
                return await super(_Cluster, self).execute_command(*args, **asked)

        async def again(_: Exception) -> None: ...

        return await self._patience.call_with_retry(attempt, again)

    def pipeline(self, transaction: Any = None, shard_hint: Any = None) -> ClusterPipeline:
        """Return a pipeline, which waits for its turn like a call."""
        return _Pipeline(self, transaction)  # type: ignore[abstract]


class _Pipeline(ClusterPipeline):
    """A pipeline of `_Cluster`."""

    cluster_client: _Cluster

    async def execute(self, *args: Any, **options: Any) -> list[Any]:
        """Return the answers to the calls."""
        async with self.cluster_client.unused:
            return await super().execute(*args, **options)


class _Patience(ExponentialBackoff):
    """Waits between attempts, at most a second, and says so now and then."""

    def compute(self, failures: int) -> float:
        if should_log(failures):
            logger.warning(
                "redis does not answer, attempt %d (%s); waiting for it",
                failures,
                sys.exc_info()[1],
            )
        return float(super().compute(failures))


class _Packing(AbstractConnection):
    """Packs calls in C, as redis-py itself does only where it blocks.

    Its own way in Python takes a sixth of a worker's CPU. What is large comes last in a call, and
    is handed on as it is: hiredis copies it three times.
    """

    def pack_command(self, *args: Any) -> list[bytes]:
        name, *rest = args
        last = rest[-1] if rest else None
        if not isinstance(last, bytes) or len(last) < _LARGE_BYTES:
            return [hiredis.pack_command((*name.split(), *rest))]
        before = hiredis.pack_command((*name.split(), *rest[:-1], b"")).removesuffix(_NOTHING)
        return [before + b"$%d\r\n" % len(last), last, b"\r\n"]


def connect(settings: Settings, attempts: int = _FOR_EVER) -> Redis:
    """Return a client that answers in bytes; it connects on first use.

    It has at most `REDIS_CONNECTIONS` connections; on a cluster, to each node. A call that finds
    none waits for its turn.

    `attempts` bounds how often a call is repeated on an error that passes; a worker never gives up.

    Raises:
        ConfigError: redis-py does not take the URL, such as an option in it; or the URL limits the
            connections, which a setting does.
    """
    if "max_connections" in parse_qs(urlsplit(settings.redis_url).query):
        raise ConfigError(
            "STREAMAPP_REDIS_URL: max_connections is STREAMAPP_REDIS_CONNECTIONS "
            f"({settings.redis_connections}); set that, and correct the URL"
        )
    passing = (*_PASSING, *_DISTURBED) if settings.redis_cluster else _PASSING
    options: dict[str, Any] = {
        "connections": settings.redis_connections,
        "socket_timeout": settings.redis_timeout,
        "socket_connect_timeout": settings.redis_timeout,
        "retry": Retry(_Patience(cap=1, base=0.01), attempts, passing),  # type: ignore[arg-type]
    }
    try:
        if settings.redis_cluster:
            return _Cluster.from_url(settings.redis_url, **options)  # type: ignore[return-value]
        pool = WaitingPool.from_url(settings.redis_url, **options)
        pool.connection_class = type("Connection", (_Packing, pool.connection_class), {})
        # What the URL asks for is only looked at when a connection is made.
        pool.connection_class(**pool.connection_kwargs)
    except _REFUSALS as error:
        reason = str(error).rpartition(".__init__() got an ")[2].rstrip(".")
        raise ConfigError(
            f"STREAMAPP_REDIS_URL: redis-py refuses its options: {reason}; correct the URL"
        ) from None
    return Redis.from_pool(pool)


@asynccontextmanager
async def opened(settings: Settings, attempts: int = 1) -> AsyncIterator[Redis]:
    """Yield a client that has answered, and close it afterwards.

    Raises:
        ConfigError: Redis cannot be reached, or refuses the credentials.
    """
    redis = connect(settings, attempts)
    try:
        try:
            await redis.ping()
        except RedisError as error:
            where = urlsplit(settings.redis_url)
            place = f"{where.hostname or where.path}:{where.port or 6379}"
            reason = "refuses the credentials" if isinstance(error, AuthenticationError) else error
            raise ConfigError(f"STREAMAPP_REDIS_URL: redis at {place}: {reason}") from None
        yield redis
    finally:
        await redis.aclose()
