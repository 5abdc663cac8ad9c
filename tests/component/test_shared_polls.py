"""Jobs of a worker share what they read again and again, however many partitions there are."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from streamapp.agents.polling.list_versions import ListVersions
from streamapp.agents.polling.shard_heads import ShardHeads
from streamapp.store.lists import lists_of
from streamapp.store.slot.head import ShardHead
from streamapp.store.slot.keys import SlotKeys, rows_tag
from streamapp.store.slot.slot import Slot
from tests.servers.node import RedisNode

SHARDS = 64
KEYS = [SlotKeys("s:", rows_tag(shard)).head for shard in range(SHARDS)]

Calls = Callable[[], Awaitable[dict[str, int]]]


@pytest.fixture
def calls(redis: Redis) -> Calls:
    """How often each command that reads lists or heads was sent so far."""

    async def counted() -> dict[str, int]:
        stats: dict[str, Any] = await redis.info("commandstats")
        names = "hmget", "mget", "hget", "evalsha"
        return {name: stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in names}

    return counted


async def used(calls: Calls, before: dict[str, int]) -> dict[str, int]:
    """Return how often each command was sent since; those that were not are left out."""
    after = await calls()
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


async def begin(redis: Redis, shards: int = SHARDS) -> None:
    """Make the slots of shards."""
    for shard in range(shards):
        await Slot(redis, SlotKeys("s:", rows_tag(shard)), "g").create(shard)


async def test_jobs_that_ask_at_the_same_time_read_each_head_once(
    redis: Redis, calls: Calls
) -> None:
    """Also where each needs other attributes: all of them get what any of them needs."""
    await begin(redis)
    await redis.hset(KEYS[3], mapping={"published": 5, "turned": 6, "fence:source": 7})
    heads, before = ShardHeads(redis), await calls()
    found = await asyncio.gather(
        *(heads.read(KEYS, "published") for _ in range(64)),
        heads.read(KEYS, "popular", "popular_ts"),
        heads.read(KEYS[3:4], "listed_update_offset", source="source"),
    )
    assert await used(calls, before) == {"hmget": SHARDS}
    assert [len(some) for some in found] == [SHARDS] * 65 + [1]
    assert found[-1] == [
        ShardHead(3, {"source": 7}, published=5, listed_update_offset=6),
    ]
    assert all(some[3] is found[-1][0] for some in found[:-1])


async def test_what_a_job_asked_for_once_is_not_read_for_ever(redis: Redis) -> None:
    """The next read has what is asked for then."""
    await begin(redis, 2)
    await redis.hset(KEYS[0], mapping={"published": 5, "turned": 6})
    heads = ShardHeads(redis)
    await heads.read(KEYS[:2], "published", "listed_update_offset", source="source")
    assert await heads.read(KEYS[:1], "published") == [ShardHead(0, published=5)]


@given(
    asks=st.lists(
        st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 30)), min_size=1, max_size=12
    )
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_job_gets_a_head_that_was_read_before_it_asked(
    node: RedisNode, asks: list[tuple[int, bool, int]]
) -> None:
    """Whatever other jobs ask for, and whenever the position moves."""

    async def story() -> None:
        async with Redis.from_url(node.url) as redis:
            await redis.flushall()
            await begin(redis, 4)
            heads, stored = ShardHeads(redis), dict.fromkeys(KEYS[:4], 0)

            async def ask(key: str) -> None:
                known = stored[key]
                (head,) = await heads.read([key], "published")
                assert head is not None
                assert head.position >= known

            asking = []
            for shard, moves, pause_ms in asks:
                key = KEYS[shard]
                if moves:
                    await redis.hset(key, "position", stored[key] + 10)
                    stored[key] += 10
                await asyncio.sleep(pause_ms / 1000)
                asking.append(asyncio.create_task(ask(key)))
                await asyncio.sleep(0)
            await asyncio.gather(*asking)

    asyncio.run(story())


async def test_sweeps_that_ask_at_the_same_time_share_one_version(
    redis: Redis, calls: Calls
) -> None:
    """The heads and the trending list are read once, and the version is made once."""
    await begin(redis)
    await redis.hset(KEYS[0], mapping={"published": 4, "merged": ",".join(map(str, range(SHARDS)))})
    lists = lists_of(redis, "l:", "s:", cluster=False)
    versions, before = ListVersions(ShardHeads(redis), lists, "s:"), await calls()
    found = await asyncio.gather(*(versions.read(SHARDS) for _ in range(64)))
    assert await used(calls, before) == {"hmget": SHARDS, "mget": 1}
    assert all(one is found[0] for one in found)
    assert found[0].text.startswith("0:4,1:,2:,")
    assert found[0].update_offsets == [0] * SHARDS


async def test_a_version_names_positions_counts_and_the_order_of_trending_items(
    redis: Redis,
) -> None:
    """A sweep has to compare lists again when any of them changes."""
    await begin(redis, 2)
    lists = lists_of(redis, "l:", "s:", cluster=False)
    versions, seen = ListVersions(ShardHeads(redis), lists, "s:"), set[str]()
    for change in (
        lambda: redis.hset(KEYS[0], "published", 1),
        lambda: redis.hset(KEYS[1], "position", 9),
        lambda: redis.set("l:trending", orjson.dumps({"items": [{"id": "a"}, {"id": "b"}]})),
        lambda: redis.set("l:trending", orjson.dumps({"items": [{"id": "b"}, {"id": "a"}]})),
    ):
        seen.add((await versions.read(2)).text)
        await change()
    seen.add((await versions.read(2)).text)
    assert len(seen) == 5


@pytest.mark.parametrize(
    ("merged", "known"), [("", False), ("4,5", False), ("5", False), ("5,6", True), ("9,9", True)]
)
async def test_updates_count_when_the_trending_lists_have_them(
    redis: Redis, merged: str, known: bool
) -> None:
    """Until then they may still show a hidden item."""
    await begin(redis, 2)
    await redis.hset(KEYS[0], mapping={"turned": 5, "merged": merged})
    await redis.hset(KEYS[1], mapping={"turned": 6})
    lists = lists_of(redis, "l:", "s:", cluster=False)
    found = await ListVersions(ShardHeads(redis), lists, "s:").read(2)
    assert list(found.update_offsets) == ([5, 6] if known else [])


async def test_a_head_that_is_gone_is_none_for_every_job(redis: Redis) -> None:
    """Redis may have lost it."""
    await begin(redis, 1)
    heads = ShardHeads(redis)
    found = await asyncio.gather(heads.read(KEYS[:2]), heads.read(KEYS[1:2]))
    assert list(found) == [[ShardHead(0), None], [None]]
