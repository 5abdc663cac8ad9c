"""A slot in a real Redis, and what its server was asked."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from streamapp.store.slot.keys import SlotKeys
from streamapp.store.slot.slot import Slot

KEYS = SlotKeys("s:", "u0")


@pytest.fixture
async def slot(redis: Redis) -> Slot:
    """A slot at position 10 of state_id "g"."""
    made = Slot(redis, KEYS, "g")
    await made.create(10)
    return made


@pytest.fixture
def calls(redis: Redis) -> Callable[[], Awaitable[int]]:
    """How many scripts the server was asked to run so far."""

    async def ran() -> int:
        stats: dict[str, Any] = await redis.info("commandstats")
        return int(stats.get("cmdstat_evalsha", {}).get("calls", 0))

    return ran


@pytest.fixture
def everything(redis: Redis) -> Callable[[], Awaitable[dict[bytes, bytes]]]:
    """All keys, each as the server would dump it."""

    async def dumped() -> dict[bytes, bytes]:
        keys: list[Any] = sorted(await redis.keys())
        return {key: (await redis.dump(key)) or b"" for key in keys}

    return dumped
