"""The pool of connections: a task without a connection waits, and no connection is lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from streamapp.config.settings import Settings
from streamapp.store.redis.connection import connect
from tests.servers.node import RedisNode

TASKS = 64


@pytest.fixture
async def few(node: RedisNode) -> AsyncIterator[Redis]:
    """A client with two connections."""
    settings = Settings(_env_file=None, redis_url=node.url, redis_connections=2)
    async with connect(settings, attempts=1) as client:
        await client.flushall()
        yield client


async def clients(redis: Redis, few: Redis) -> int:
    """Return how many connections `few` has."""
    name = "few"
    for connection in few.connection_pool._available_connections:
        await connection.send_command("CLIENT", "SETNAME", name)
        await connection.read_response()
    return sum(one["name"] == name for one in await redis.client_list())


async def test_all_tasks_have_their_turn(redis: Redis, few: Redis) -> None:
    """Also those that take a connection for a pipeline; there are never more than two."""

    async def work(number: int) -> int:
        await few.set(f"k{number}", number)
        async with few.pipeline(transaction=False) as pipe:
            pipe.incr(f"k{number}")
            pipe.get(f"k{number}")
            await pipe.execute()
        return int(await few.get(f"k{number}") or 0)

    done = await asyncio.gather(*(work(number) for number in range(TASKS)))
    assert done == [number + 1 for number in range(TASKS)]
    assert await clients(redis, few) == 2


async def test_tasks_have_their_turn_in_the_order_in_which_they_ask(few: Redis) -> None:
    """No task waits forever because others are quicker."""
    pool: Any = few.connection_pool
    order = list[int]()

    async def work(number: int) -> None:
        connection = await pool.get_connection()
        order.append(number)
        await asyncio.sleep(0)
        await pool.release(connection)

    held = [await pool.get_connection() for _ in range(2)]
    working = [asyncio.create_task(work(number)) for number in range(10)]
    await asyncio.sleep(0)
    assert not order
    for connection in held:
        await pool.release(connection)
    await asyncio.gather(*working)
    assert order == list(range(10))


async def test_a_task_that_is_cancelled_takes_no_turn(few: Redis) -> None:
    """Neither while it waits, nor when it has just got a connection."""

    async def hold() -> Any:
        return await few.blpop(["nothing"], timeout=0.02)

    async def read() -> Any:
        return await few.get("k")

    await few.set("k", "v")
    for moment in range(6):
        holders = [asyncio.create_task(hold()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(read()) for _ in range(TASKS)]
        if moment % 2:
            await holders[0]
        for _ in range(moment):
            await asyncio.sleep(0)
        for task in waiting[::2]:
            task.cancel()
        for task in (*holders, *waiting):
            with contextlib.suppress(asyncio.CancelledError):
                await task
    found = await asyncio.wait_for(asyncio.gather(*(read() for _ in range(TASKS))), 10)
    assert found == [b"v"] * TASKS


async def test_a_connection_that_fails_is_given_back(few: Redis) -> None:
    """Neither a Redis that is away nor connections that were closed use up the pool."""
    await few.set("k", "v")
    unreachable = Settings(_env_file=None, redis_url="redis://127.0.0.1:1/0", redis_connections=2)
    async with connect(unreachable, attempts=0) as client:
        for _ in range(3):
            found = await asyncio.gather(
                *(client.get("k") for _ in range(8)), return_exceptions=True
            )
            assert {type(one) for one in found} == {RedisConnectionError}
    await few.connection_pool.disconnect()
    assert await asyncio.gather(*(few.get("k") for _ in range(TASKS))) == [b"v"] * TASKS
