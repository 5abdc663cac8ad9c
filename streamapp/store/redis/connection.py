"""Connects to Redis, and repeats calls that fail with an error that passes."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import hiredis
from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterPipeline, RedisCluster
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import (
    AuthenticationError,
    RedisClusterException,
    RedisError,
    ResponseError,
    SlotNotCoveredError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)

from streamapp.config.settings import Settings
from streamapp.errors import ConfigError
from streamapp.printable import visible
from streamapp.retry_log import should_log
from streamapp.store.redis.error_meanings import explained_missing_right, passes, reply_of
from streamapp.store.redis.pool import WaitingPool

logger = logging.getLogger(__name__)

T = TypeVar("T")

_DISTURBED = (SlotNotCoveredError, AttributeError)
"""Further errors that pass on a cluster.

No node may answer for a slot. And after a failed call redis-py closes idle connections, of which
another call may just have taken one; that call ends with an `AttributeError`.
"""

_REFUSALS = (TypeError, ValueError, RedisError, RedisClusterException)
"""The errors with which redis-py refuses the options in a URL."""

_FOR_EVER = 1_000_000_000
"""Attempts: at one a second, more than thirty years."""

_LARGE_BYTES = 10_000
"""An argument of at least this many bytes is handed on unchanged if it is the last one."""

_NOTHING = b"$0\r\n\r\n"
"""How hiredis packs an empty argument."""


class _Cluster(RedisCluster):
    """Waits for errors that pass, as the client of one server does.

    redis-py itself repeats less on a cluster. It does not repeat if no node answers, if a node is
    loading or out of memory, or if a call names its nodes.
    """

    def __init__(self, *, retry: Retry, connections: int, **options: Any) -> None:
        """Make a client that is not connected.

        Args:
            retry: How a call is repeated.
            connections: Most connections to each node, and so most calls at a time.
            options: The options of redis-py.
        """
        super().__init__(retry=Retry(NoBackoff(), 0), max_connections=connections, **options)
        self._patience = retry
        self.unused = asyncio.Semaphore(connections)

    async def initialize(self, *args: Any, **options: Any) -> "_Cluster":
        """Learn which node has which slots.

        Raises:
            RedisConnectionError: no node answers, or they do not agree.
            AuthenticationError: they refuse the credentials.
        """
        try:
            await super().initialize(*args, **options)
        except RedisClusterException as error:
            if isinstance(error.__cause__, AuthenticationError):
                raise error.__cause__ from None
            raise RedisConnectionError(str(error)) from error
        return self

    async def execute_command(self, *args: Any, target_nodes: Any = None, **options: Any) -> Any:
        """Return the answer to a command.

        Args:
            args: The command.
            target_nodes: As redis-py takes it, or a function that returns it. The function is
                called again for each attempt, because another node may have replaced one that is
                gone.
            options: The options of redis-py.

        Raises:
            ConfigError: Redis does not let the worker do this.
        """

        async def attempt() -> Any:
            nodes = target_nodes() if callable(target_nodes) else target_nodes
            asked = options if nodes is None else {**options, "target_nodes": nodes}
            # A call takes one connection of a node at most, so no node runs out of them.
            async with self.unused:
                return await super(_Cluster, self).execute_command(*args, **asked)

        async def again(_: Exception) -> None: ...

        with explained_missing_right(*args):
            return await self._patience.call_with_retry(attempt, again)

    def pipeline(self, transaction: Any = None, shard_hint: Any = None) -> ClusterPipeline:
        """Return a pipeline, which waits for its turn as a call does."""
        return _Pipeline(self, transaction)  # type: ignore[abstract]


class _Pipeline(ClusterPipeline):
    """A pipeline of `_Cluster`."""

    cluster_client: _Cluster

    async def execute(self, *args: Any, **options: Any) -> list[Any]:
        """Return the replies to the calls."""
        async with self.cluster_client.unused:
            return await super().execute(*args, **options)


class _Server(Redis):
    """One server, which says in one line what a worker may not do."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Return the answer to a command.

        Raises:
            ConfigError: Redis does not let the worker do this.
        """
        with explained_missing_right(*args):
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]


class _Waiting(Retry):
    """Repeats a call on errors that pass, because every call of a worker may be repeated."""

    async def call_with_retry(
        self, do: Callable[[], Awaitable[T]], fail: Callable[..., Any], *_: Any, **options: Any
    ) -> T:
        """Return what `do` returns at last."""
        options["is_retryable"] = _may_pass
        return await super().call_with_retry(do, fail, **options)


class _Patience(ExponentialBackoff):
    """Waits between attempts, at most a second, and logs it now and then."""

    def compute(self, failures: int) -> float:
        if should_log(failures):
            logger.warning(
                "redis does not answer, attempt %d (%s); waiting for it",
                failures,
                visible(_reason(sys.exc_info()[1])),
            )
        return float(super().compute(failures))


def _may_pass(error: Exception) -> bool:
    return isinstance(error, _DISTURBED) or passes(error)


def _reason(error: BaseException | None) -> str:
    return reply_of(error) if isinstance(error, Exception) else ""


class _Packing(AbstractConnection):
    """Packs calls in C, as redis-py itself does only in its blocking client.

    Packing in Python takes a sixth of a worker's CPU. A large argument comes last in a call and is
    handed on unchanged, because hiredis would copy it three times.
    """

    def pack_command(self, *args: Any) -> list[bytes]:
        name, *rest = args
        last = rest[-1] if rest else None
        if not isinstance(last, bytes) or len(last) < _LARGE_BYTES:
            return [hiredis.pack_command((*name.split(), *rest))]
        before = hiredis.pack_command((*name.split(), *rest[:-1], b"")).removesuffix(_NOTHING)
        return [before + b"$%d\r\n" % len(last), last, b"\r\n"]


def connect(settings: Settings, attempts: int = _FOR_EVER) -> Redis:
    """Return a client that returns bytes; it connects on first use.

    It has at most `REDIS_CONNECTIONS` connections; on a cluster, to each node. A call that finds no
    free connection waits for its turn.

    `attempts` bounds how often a call is repeated on an error that passes; a worker never gives up.

    Raises:
        ConfigError: redis-py refuses the URL, for example an option in it; or the URL limits the
            connections, which a setting does.
    """
    if "max_connections" in parse_qs(urlsplit(settings.redis_url).query):
        raise ConfigError(
            "STREAMAPP_REDIS_URL: max_connections is STREAMAPP_REDIS_CONNECTIONS "
            f"({settings.redis_connections}); set that, and correct the URL"
        )
    looked_at = (RedisError, *_DISTURBED) if settings.redis_cluster else (RedisError,)
    options: dict[str, Any] = {
        "connections": settings.redis_connections,
        "socket_timeout": settings.redis_timeout,
        "socket_connect_timeout": settings.redis_timeout,
        "retry": _Waiting(_Patience(cap=1, base=0.01), attempts, looked_at),  # type: ignore[arg-type]
    }
    try:
        if settings.redis_cluster:
            return _Cluster.from_url(settings.redis_url, **options)  # type: ignore[return-value]
        pool = WaitingPool.from_url(settings.redis_url, **options)
        pool.connection_class = type("Connection", (_Packing, pool.connection_class), {})
        # redis-py reads the options in the URL only when it makes a connection.
        pool.connection_class(**pool.connection_kwargs)
    except _REFUSALS as error:
        reason = str(error).rpartition(".__init__() got an ")[2].rstrip(".")
        raise ConfigError(
            f"STREAMAPP_REDIS_URL: redis-py refuses its options: {reason}; correct the URL"
        ) from None
    return _Server.from_pool(pool)


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
            if isinstance(error, ResponseError) and passes(error):
                # It answers: a full disk also refuses a PING. A worker waits at its next call.
                logger.warning("redis answers, but refuses for now: %s", visible(reply_of(error)))
                yield redis
                return
            where = urlsplit(settings.redis_url)
            place = f"{where.hostname or where.path}:{where.port or 6379}"
            raise ConfigError(f"STREAMAPP_REDIS_URL: redis at {place}: {reply_of(error)}") from None
        yield redis
    finally:
        await redis.aclose()
