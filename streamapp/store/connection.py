"""Store. Connects to Redis, and refuses one that would lose state."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import hiredis
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import (
    AuthenticationError,
    ClusterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TryAgainError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)

from streamapp.errors import ConfigError
from streamapp.settings import Settings

logger = logging.getLogger(__name__)

_PASSING = (RedisConnectionError, RedisTimeoutError, OutOfMemoryError, ReadOnlyError,
            ClusterDownError, TryAgainError)  # fmt: skip
"""Errors that pass: a worker waits for Redis, because every call of it may be repeated."""

_FOR_EVER = 1_000_000_000
"""Attempts; the client of a cluster has no number that means no end."""


class _Cluster(RedisCluster):
    """Repeats calls that another call of this process disturbed.

    When a call to a node fails, redis-py closes idle connections, also those that another call
    takes at that moment. That call then finds no writer, which is an `AttributeError`.
    """

    ERRORS_ALLOW_RETRY = (*RedisCluster.ERRORS_ALLOW_RETRY, AttributeError)  # type: ignore[assignment]


class _Patience(ExponentialBackoff):
    """Waits between attempts, at most a second, and says so now and then."""

    def compute(self, failures: int) -> float:
        if failures in {2, 8} or failures % 30 == 0:
            logger.warning("redis does not answer, attempt %d; waiting for it", failures)
        return float(super().compute(failures))


class _Packing(AbstractConnection):
    """Packs calls in C, as redis-py itself does only where it blocks.

    Its own way in Python takes a sixth of a worker's CPU.
    """

    def pack_command(self, *args: Any) -> list[bytes]:
        name, *rest = args
        return [hiredis.pack_command((*name.split(), *rest))]


def connect(settings: Settings, attempts: int = _FOR_EVER) -> Redis:
    """Return a client that answers in bytes; it connects on first use.

    `attempts` bounds how often a call is repeated on an error that passes; a worker never gives up.
    """
    options: dict[str, Any] = {
        "socket_timeout": settings.redis_timeout,
        "socket_connect_timeout": settings.redis_timeout,
        "retry": Retry(_Patience(cap=1, base=0.01), attempts, _PASSING),
    }
    if settings.redis_cluster:
        return _Cluster.from_url(settings.redis_url, **options)  # type: ignore[return-value]
    redis = Redis.from_url(settings.redis_url, **options)
    pool = redis.connection_pool
    pool.connection_class = type("Connection", (_Packing, pool.connection_class), {})
    return redis


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


async def check_policy(redis: Redis) -> None:
    """Refuse a Redis that may evict keys: a lost fence would be silent corruption.

    Raises:
        ConfigError: the eviction policy is not `noeviction`.
    """
    info = await redis.info("memory")
    policies = {info["maxmemory_policy"]} if "maxmemory_policy" in info else {
        node["maxmemory_policy"] for node in info.values()
    }  # fmt: skip
    if evicting := sorted(policies - {"noeviction"}):
        raise ConfigError(
            f"redis may evict state: maxmemory-policy is {evicting[0]}; "
            "set it to noeviction (CONFIG SET maxmemory-policy noeviction)"
        )
