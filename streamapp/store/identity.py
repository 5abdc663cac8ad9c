"""Store. Which Redis answers: another one may lack the last writes of the one before."""

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster


async def redis_identity(redis: Redis | RedisCluster) -> str:
    """Return a text that changes when a server restarts or a replica is promoted.

    A server keeps its `run_id` while it runs, and its `master_replid` while it is the same master.
    On a cluster, all masters are asked.
    """
    if isinstance(redis, RedisCluster):
        found = await redis.info("everything", target_nodes=redis.get_primaries)
        parts = [_part(info) for info in ([found] if "run_id" in found else found.values())]
    else:
        parts = [_part({**await redis.info("server"), **await redis.info("replication")})]
    return " ".join(sorted(parts))


def _part(info: dict[str, Any]) -> str:
    return f"{info['run_id']}/{info['master_replid']}"
