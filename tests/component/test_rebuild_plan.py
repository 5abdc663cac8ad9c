"""What a rebuild would lose is read from the state, as far as the state can be read."""

from typing import Any

import pytest
from redis.asyncio import Redis

from streamapp.cli import rebuild_plan
from streamapp.cli.rebuild_plan import RebuildPlan, read_plan
from streamapp.config.settings import Settings
from streamapp.transport.records import TP, Offsets

SETTINGS = Settings(_env_file=None, catalogue_topic="goods")
OFFSETS = {
    TP("clicks", 0): Offsets(5, 20, None),
    TP("clicks", 1): Offsets(4, 20, None),
    TP("purchases", 0): Offsets(0, 7, None),
    TP("goods", 0): Offsets(0, 2, None),
    **{TP(SETTINGS.interactions_topic, number): Offsets(3, 9, None) for number in range(3)},
    TP(SETTINGS.deltas_topic, 0): Offsets(90, 100, None),
}


@pytest.fixture(autouse=True)
async def _state(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state of two partitions of clicks, one of which cannot be read; no worker lives."""

    async def nobody(_: Settings) -> list[str]:
        return []

    monkeypatch.setattr(rebuild_plan, "live_members", nobody)
    layout: Any = {":generation": "g", "clicks": 2, SETTINGS.interactions_topic: 3}
    await redis.hset("streamapp:layout", mapping=layout)
    await redis.hset("streamapp:{e:clicks:0}:head", mapping={"position": 15, "begun": 2})
    await redis.set("streamapp:{e:clicks:1}:head", "of another program")
    await redis.hset("streamapp:{c0}:head", mapping={"position": 6})
    await redis.hset("streamapp:{i0}:head", mapping={"position": 95})
    for number, applied in enumerate((10, 20)):
        head: Any = {"position": 1, "applied": applied}
        await redis.hset(f"streamapp:{{u{number}}}:head", mapping=head)


async def plan(redis: Redis) -> RebuildPlan:
    """Return what a rebuild would do."""
    return await read_plan(redis, SETTINGS, OFFSETS, drop_lists=False)


async def test_losses_are_added_for_each_topic_that_others_write_to(redis: Redis) -> None:
    """Internal topics drop what was applied, which loses nothing."""
    found = await plan(redis)
    assert found.records_lost == {"clicks": (5 - 2) + 4, "goods": 6 - 2}
    assert found.records_to_count == 15 + 16 + 7


async def test_what_the_state_holds_is_added_as_far_as_it_can_be_read(redis: Redis) -> None:
    """One head of histories is missing."""
    found = await plan(redis)
    assert found.applied_events == 30
    assert (found.state_keys, found.other_keys, found.live_workers) == (7, 0, [])


async def test_a_layout_that_cannot_be_read_hides_nothing(redis: Redis) -> None:
    """A rebuild is the remedy for that, too."""
    before = await plan(redis)
    await redis.set("streamapp:layout", "of another program")
    assert await plan(redis) == before


async def test_a_state_that_is_gone_has_nothing_to_lose(redis: Redis) -> None:
    """The topics begin later, but nobody holds what they dropped."""
    await redis.flushall()
    found = await plan(redis)
    assert (found.records_lost, found.applied_events, found.state_keys) == ({}, 0, 0)
