"""Lists of categories: which of them are published, when, and with which time."""

import asyncio
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from streamapp.agents.polling import poll
from tests.component.harness.shards import ITEMS, SHARDS, Harness
from tests.support.trends import HALF_LIFE_S, START


async def test_a_large_catalogue_withdraws_no_lists_that_never_were(harness: Harness) -> None:
    """Its categories get their numbers, and no event has happened there."""
    for item in ITEMS:
        harness.shop.say(item, "tents")
    harness.shop.act("z")
    await harness.drained(await harness.owner())
    assert set(harness.broker.taken) == {"trending"}
    harness.shop.act("a")
    await harness.drained(await harness.owner())
    await harness.right()


async def test_many_lists_go_out_in_parts_and_count_as_merged_with_the_last(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies in between leaves the whole pass to the next owner."""
    monkeypatch.setattr("streamapp.agents.trending.trending_job._AT_ONCE", 2)
    for item in ITEMS:
        harness.shop.say(item, f"of {item}")
        harness.shop.act(item)
    first = await harness.owner("trending.sent:2:raise")
    with pytest.raises(RuntimeError, match=r"trending\.sent"):
        await harness.drained(first)
    assert await harness.redis.hget("s:{i0}:head", "merged") is None
    await harness.drained(await harness.owner())
    await harness.right()
    assert len(await harness.shown()) == len(ITEMS)


async def test_what_happens_while_lists_go_out_in_parts_is_in_the_next_round(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a category whose list is out already."""
    monkeypatch.setattr("streamapp.agents.trending.trending_job._AT_ONCE", 3)
    for item in ITEMS:
        harness.shop.say(item, f"of {item}")
        harness.shop.act(item)
    owner = await harness.owner()
    for number in range(SHARDS):
        harness.shop.read(owner.shards[number])
        await owner.store(number)
    await owner.trending.step()
    harness.shop.say("b", "of a")
    for number in range(SHARDS):
        harness.shop.read(owner.shards[number])
        await owner.store(number)
    await harness.merged(owner)
    await harness.right()


async def test_other_entries_are_found_when_all_lists_are_to_be_made_again(
    harness: Harness,
) -> None:
    """As when lists get another length: entries behind the old end are not in the tops."""
    harness.shop.say("a", "tents")
    harness.shop.act("a")
    owner = await harness.owner()
    await harness.drained(owner)
    harness.broker.taken.clear()
    for shard in owner.shards:
        shard.categories.mark_all_dirty(len(shard.registry))
    harness.shop.say("zzz", hidden=True)
    await harness.drained(owner)
    assert "trending:tents" in harness.broker.taken


async def test_the_time_of_a_list_is_that_of_the_newest_event_when_it_was_made(
    harness: Harness,
) -> None:
    """An event in another category makes no other list again."""
    for item, category in {"a": "tents", "b": "lamps"}.items():
        harness.shop.say(item, category)
    harness.shop.act("a", 1.0, 3)
    owner = await harness.owner()
    await harness.drained(owner)
    before = (await harness.stored_lists())["trending:tents"]
    assert orjson.loads(before)["as_of"] == START + 3 * HALF_LIFE_S
    harness.shop.act("b", 1.0, 5)
    await harness.drained(owner)
    stored_lists = await harness.stored_lists()
    assert stored_lists["trending:tents"] == before
    assert orjson.loads(stored_lists["trending:lamps"])["as_of"] == START + 5 * HALF_LIFE_S
    harness.shop.act("a", 1.0, 4)
    await harness.drained(owner)
    value = orjson.loads((await harness.stored_lists())["trending:tents"])
    assert (value["as_of"], value["items"]) == (
        START + 5 * HALF_LIFE_S, [{"id": "a", "score": 0.25 + 0.5}]
    )  # fmt: skip


async def test_lists_that_differ_little_are_not_published(harness: Harness) -> None:
    """They stay as of their own time; the next owner cannot know what the topic has."""
    harness.tolerance = 0.01
    for item, category in {"a": "tents", "b": "lamps"}.items():
        harness.shop.say(item, category)
        harness.shop.act(item, 3.0, 8)
    owner = await harness.owner()
    await harness.drained(owner)
    before = await harness.stored_lists()
    harness.broker.taken.clear()
    harness.shop.act("a", 3.0, 1)
    await harness.drained(owner)
    assert (harness.broker.taken, await harness.stored_lists()) == ([], before)
    await harness.right()

    harness.shop.act("b", 3.0, 3)
    await harness.drained(owner)
    assert sorted(harness.broker.taken) == ["trending", "trending:lamps"]
    await harness.right()

    harness.broker.taken.clear()
    harness.shop.act("a", 1.0, 0)
    await harness.drained(await harness.owner())
    assert sorted(harness.broker.taken) == ["trending", "trending:tents"]
    await harness.right()


async def test_what_a_later_list_kept_out_of_redis_is_published_whatever_redis_holds(
    harness: Harness,
) -> None:
    """Of the lists of one batch Redis took some, and none of them went to the topic."""
    harness.tolerance = 0.3
    owner = await harness.owner()
    for item, category in {"a": "tents", "b": "lamps"}.items():
        harness.shop.say(item, category)
        harness.shop.act(item)
    await harness.drained(owner)
    later = b'{"seq":9000000000000}'
    await harness.redis.set("l:trending:tents", later)
    for item in "ab":
        harness.shop.act(item)
    for number in range(SHARDS):
        harness.shop.read(owner.shards[number])
        await owner.store(number)
    assert not await owner.trending._merge()
    await harness.redis.delete("l:trending:tents")
    await harness.drained(owner)
    await harness.right()


async def test_heads_are_not_read_while_nobody_stores_anything(
    harness: Harness, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only now and then, for what other workers store; soon after this worker stored something."""
    clock = SimpleNamespace(now=1_000.0)
    monkeypatch.setattr(poll, "time", SimpleNamespace(monotonic=lambda: clock.now))
    owner = await harness.owner()
    harness.shop.act("a")
    await harness.drained(owner)

    async def reads_after(seconds: float) -> int:
        """Let time pass for the polls; return how many heads the next steps read."""
        stats: dict[str, Any] = await redis.info("commandstats")
        before = stats.get("cmdstat_hmget", {}).get("calls", 0)
        clock.now += seconds
        for _ in range(10):
            await owner.trending.step()
            await asyncio.sleep(0.002)
        stats = await redis.info("commandstats")
        return int(stats["cmdstat_hmget"]["calls"] - before)

    # It takes over what there is, and looks once more to see that nothing was stored since.
    assert any([await reads_after(0.1) == 0 for _ in range(3)])
    owner.context.heads.changed()
    assert await reads_after(0.01) == SHARDS
    assert await reads_after(0.1) == 0
    assert await reads_after(4 / 3) == SHARDS
    assert await reads_after(0.1) == 0
