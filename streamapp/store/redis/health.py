"""Reads INFO from the masters that answer: one server, or the nodes of a cluster."""

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from streamapp.errors import ConfigError
from streamapp.store.redis.error_meanings import explained_missing_right

Masters = list[dict[str, Any]]
"""The INFO of each master."""


async def read_masters(redis: Redis | RedisCluster) -> Masters:
    """Ask all masters, each once.

    Raises:
        ConfigError: Redis does not let the worker ask.
    """
    if isinstance(redis, RedisCluster):
        found = await redis.info("everything", target_nodes=redis.get_primaries)
        return [found] if "run_id" in found else list(found.values())
    async with redis.pipeline(transaction=False) as pipe:
        for section in ("server", "replication", "memory"):  # Redis 6 takes one at a time
            pipe.info(section)
        with explained_missing_right("INFO"):
            server, replication, memory = await pipe.execute()
    return [{**server, **replication, **memory}]


def identity_of(masters: Masters) -> str:
    """Return a text that changes when a server restarts or a replica is promoted.

    The new server may lack the last writes of the previous one. A server keeps its `run_id` while
    it runs, and its `master_replid` while it is the same master.
    """
    return " ".join(sorted(f"{one['run_id']}/{one['master_replid']}" for one in masters))


def check_policy(masters: Masters) -> None:
    """Refuse a Redis that may evict keys: a lost position would be silent corruption.

    Raises:
        ConfigError: the eviction policy is not `noeviction`.
    """
    policies = {one["maxmemory_policy"] for one in masters}
    if evicting := sorted(policies - {"noeviction"}):
        raise ConfigError(
            f"redis may evict state: maxmemory-policy is {evicting[0]}; "
            "set it to noeviction (CONFIG SET maxmemory-policy noeviction)"
        )
