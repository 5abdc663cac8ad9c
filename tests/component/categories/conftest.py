"""A shop with categories on a Redis of its own."""

import pytest
from redis.asyncio import Redis

from tests.component.harness.shards import Desk


@pytest.fixture
async def desk(redis: Redis) -> Desk:
    """A shop in which nothing has happened yet."""
    return Desk(redis)
