"""A rebuild removes the keys of its own state and lists, and none of an app beside it."""

import pytest
from redis.asyncio import Redis

from streamapp.cli.list_withdrawal import all_lists, outdated_lists
from streamapp.config.settings import Settings
from streamapp.inspection.reset import count_keys, remove_state

SETTINGS = Settings(_env_file=None)
OWN = [
    "streamapp:layout",
    "streamapp:{u0}:head",
    "streamapp:{u0}:b:staging:layout",
    "streamapp:{e:clicks:0}:head",
    "streamapp:gone:{recs:v1:user:ann}:recs:v1:user:ann",
    "streamapp:details",
    "streamapp:details:{recs:v1:user:ann}:recs:v1:user:ann",
    "streamapp:bought_together:layout",
    "streamapp:bought_after_view:{i3}:b:7",
]
OTHERS = [
    "streamapp:staging:layout",
    "streamapp:staging:{u0}:head",
    "streamapp:staging:gone:{tag}:recs:v1:user:ann",
    "streamapp:staging:bought_together:{u0}:head",
    "streamapp:layouts",
    "streamapp:detailsman",
    "streamapp:layout\n",
]
LISTS = [
    "recs:v1:item:staging:item:tent",
    "recs:v1:user:ann",
    "recs:v1:trending",
    "recs:v1:trending:tents",
    "recs:v1:bought_together:tent",
    "recs:v1:bought_after_view:tent",
]
LISTS_OF_OTHERS = [
    "recs:v1:staging:item:tent",
    "recs:v1:staging:trending",
    "recs:v1:trending-beta:trending",
    "recs:v1:staging:bought_together:tent",
]


@pytest.fixture(autouse=True)
async def _two_apps(redis: Redis) -> None:
    """Two apps, the prefixes of one of which begin with those of the other."""
    for key in (*OWN, *OTHERS, *LISTS, *LISTS_OF_OTHERS):
        await redis.set(key, "{}")


async def keys(redis: Redis) -> set[str]:
    """Return all keys."""
    return {key.decode() async for key in redis.scan_iter()}


async def test_the_state_of_an_app_beside_it_stays(redis: Redis) -> None:
    """Its prefix begins with that of the state that is removed."""
    assert await count_keys(redis, "streamapp:") == (len(OWN), len(OTHERS))
    assert await remove_state(redis, "streamapp:") == len(OWN)
    assert await keys(redis) == {*OTHERS, *LISTS, *LISTS_OF_OTHERS}
    assert await count_keys(redis, "streamapp:") == (0, len(OTHERS))


async def test_the_inner_app_is_removed_alone(redis: Redis) -> None:
    """The last three keys belong to neither."""
    assert await remove_state(redis, "streamapp:staging:") == len(OTHERS) - 3
    assert await count_keys(redis, "streamapp:") == (len(OWN), 3)


async def test_more_keys_than_one_portion_are_removed(redis: Redis) -> None:
    """None of them twice or not at all."""
    async with redis.pipeline() as pipe:
        for number in range(1_201):
            pipe.set(f"big:{{u0}}:b:{number}", "")
        await pipe.execute()
    assert await remove_state(redis, "big:") == 1_201
    assert await count_keys(redis, "big:") == (0, 0)


async def test_all_lists_are_those_of_known_kinds(redis: Redis) -> None:
    """An app whose list prefix begins with this one keeps its lists."""
    assert await all_lists(redis, SETTINGS) == sorted(LISTS)


async def test_lists_that_nobody_would_replace_are_outdated(redis: Redis) -> None:
    """Of kinds that are off, and of categories; content neighbours if the state may have any."""
    content = '{"v":1,"items":[{"id":"a","score":0.5,"support":0,"reason":"content"}]}'
    await redis.set("recs:v1:item:new", content)
    off = {"recs:v1:bought_together:tent", "recs:v1:bought_after_view:tent"}
    gone = {"recs:v1:trending:tents"}
    assert set(await outdated_lists(redis, SETTINGS)) == off | gone | {"recs:v1:item:new"}

    await redis.hset("streamapp:{i0}:head", mapping={"position": 1, "results": "{}"})
    assert set(await outdated_lists(redis, SETTINGS)) == off | gone
    on = SETTINGS.model_copy(update={"bought_together": True, "bought_after_view": True})
    assert set(await outdated_lists(redis, on)) == gone
