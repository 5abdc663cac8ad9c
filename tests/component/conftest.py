"""A real Redis for units that are scripts."""

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from tests.servers.node import RedisNode


@pytest.fixture(scope="module")
def node() -> Iterator[RedisNode]:
    """A Redis of one file alone."""
    with RedisNode() as made:
        yield made


@pytest.fixture
async def redis(node: RedisNode) -> AsyncIterator[Redis]:
    """A client of that server, which holds nothing."""
    async with Redis.from_url(node.url) as client:
        await client.flushall()
        yield client
