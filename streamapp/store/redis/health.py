"""What the masters that answer say of themselves: one, or those of a cluster."""

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from streamapp.errors import ConfigError

Masters = list[dict[str, Any]]
"""What INFO says, of each."""


async def read_masters(redis: Redis | RedisCluster) -> Masters:
    """Ask all masters, each once."""
    if isinstance(redis, RedisCluster):
        found = await redis.info("everything", target_nodes=redis.get_primaries)
        return [found] if "run_id" in found else list(found.values())
    async with redis.pipeline(transaction=False) as pipe:
        for section in ("server", "replication", "memory"):  # Redis 6 takes one at a time
            pipe.info(section)
        server, replication, memory = await pipe.execute()
    return [{**server, **replication, **memory}]


def identity_of(masters: Masters) -> str:
    """Return a text that changes when a server restarts or a replica is promoted.

    Another one may lack the last writes of the one before. A server keeps its `run_id` while it
    runs, and its `master_replid` while it is the same master.
    """
    return " ".join(sorted(f"{one['run_id']}/{one['master_replid']}" for one in masters))


def check_policy(masters: Masters) -> None:
    """Refuse a Redis that may evict keys: a lost fence would be silent corruption.

    Raises:
        ConfigError: the eviction policy is not `noeviction`.
    """
    policies = {one["maxmemory_policy"] for one in masters}
    if evicting := sorted(policies - {"noeviction"}):
        raise ConfigError(
            f"redis may evict state: maxmemory-policy is {evicting[0]}; "
            "set it to noeviction (CONFIG SET maxmemory-policy noeviction)"
        )
