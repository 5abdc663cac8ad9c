"""Lists for users follow those of items in busy times too where something was hidden."""

import pytest

from tests.unit.users.desk import Desk

_POLLS_S = 2.5
"""Ten of these are more than a story may take."""


@pytest.mark.parametrize("merged", ["4", "5"])
async def test_a_sweep_begins_while_shards_publish_all_the_time(desk: Desk, merged: str) -> None:
    """The shard has brought what it heard into its lists, and into what trends."""
    await desk.open(refresh_interval=_POLLS_S)
    await desk.sees("u", "a")
    await desk.drain()
    assert await desk.shown("u") == ["x", "b"]

    async def without_x() -> bool:
        await desk.redis.hincrby("s:{i0}:head", "published", 1)
        return await desk.shown("u") == ["b"]

    await desk.item_list("a", {"b": 0.25})
    await desk.redis.hset("s:{i0}:head", mapping={"turned": 4, "merged": merged})
    await desk.until(without_x, "u's list is swept")


async def test_a_sweep_waits_for_what_trends(desk: Desk) -> None:
    """Lists would be filled again with what was hidden."""
    await desk.open(refresh_interval=_POLLS_S)
    await desk.sees("u", "a")
    await desk.drain()
    await desk.redis.hset("s:{i0}:head", mapping={"turned": 4, "merged": "3"})
    await desk.item_list("a", {"b": 0.25})
    polled = set()

    async def looked_again() -> bool:
        await desk.redis.hincrby("s:{i0}:head", "published", 1)
        polled.add(desk.owner._sweep._polled)
        return len(polled) > 5

    await desk.until(looked_again, "heads were read again and again")
    assert await desk.shown("u") == ["x", "b"]
