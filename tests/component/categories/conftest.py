"""A shop with categories on a Redis of its own."""

import pytest
from redis.asyncio import Redis

from tests.component.harness.shards import Harness


@pytest.fixture
async def harness(redis: Redis) -> Harness:
    """A shop in which nothing has happened yet."""
    return Harness(redis)
