"""Tests. A shop with categories on a Redis of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from tests.servers.node import RedisNode
from tests.unit.categories.desk import Desk


@pytest.fixture(scope="module")
def node() -> Iterator[RedisNode]:
    """A Redis of one file alone."""
    with RedisNode() as made:
        yield made


@pytest.fixture
async def desk(node: RedisNode) -> AsyncIterator[Desk]:
    """A shop in which nothing has happened yet."""
    async with Redis.from_url(node.url) as client:
        await client.flushall()
        yield Desk(client)
