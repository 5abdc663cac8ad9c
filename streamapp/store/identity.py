"""Store. Which Redis answers: another one may lack the last writes of the one before."""

import asyncio
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

_AWAY_S = 0.5
"""Seconds until a node that did not answer is asked again."""


async def redis_identity(redis: Redis | RedisCluster) -> str:
    """Return a text that changes when a server restarts or a replica is promoted.

    A server keeps its `run_id` while it runs, and its `master_replid` while it is the same master.
    On a cluster, all masters are asked.
    """
    if isinstance(redis, RedisCluster):
        parts = [_part(info) for info in await _primaries(redis)]
    else:
        parts = [_part({**await redis.info("server"), **await redis.info("replication")})]
    return " ".join(sorted(parts))


async def _primaries(redis: RedisCluster) -> list[dict[str, Any]]:
    """Return what every primary says of itself; redis-py does not repeat what is asked of a node.

    A node that is away is waited for: it comes back, or another call learns who took its place.
    """
    while True:
        try:
            return [
                await redis.info("everything", target_nodes=node) for node in redis.get_primaries()
            ]
        except redis.ERRORS_ALLOW_RETRY:
            await asyncio.sleep(_AWAY_S)


def _part(info: dict[str, Any]) -> str:
    return f"{info['run_id']}/{info['master_replid']}"
