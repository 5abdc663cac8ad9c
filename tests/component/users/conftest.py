"""A real Redis, and one partition of users in it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from streamapp.store.slot.slot import Slot
from streamapp.store.values.user_list_index import UserListIndex
from tests.component.harness.user_partition import KEYS, UserPartition


@pytest.fixture
async def partition(redis: Redis) -> AsyncIterator[UserPartition]:
    """A partition that an owner has opened."""
    made = UserPartition(redis)
    await made.begin()
    await made.open()
    yield made
    # Previous owners may have left lists in flight, which would fail when the client closes.
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


@pytest.fixture
async def slot(redis: Redis) -> Slot:
    """A slot that `me` has claimed."""
    made = Slot(redis, KEYS, "g")
    await made.ownership.claim("me")
    return made


@pytest.fixture
async def audience(redis: Redis, slot: Slot) -> UserListIndex:
    """The user list index of that slot."""
    return UserListIndex(redis, slot.keys)
