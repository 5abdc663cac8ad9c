"""Lists of categories: whatever dies, they are those of the truth, in Redis and on the topic.

Redis is real, and so are checkpoints and what merges them.
"""

from contextlib import suppress
from random import Random

import pytest

from streamapp.core.trending.categories import CategoryTop
from streamapp.core.trending.popularity import Popular
from streamapp.errors import PositionMovedError, StateError
from streamapp.store.slot.keys import SlotKeys, rows_tag
from streamapp.store.slot.slot import Slot
from streamapp.store.values.category_tops import CategoryTops, known_categories
from tests.component.harness.shards import ITEMS, SHARDS, Desk

CATEGORIES = ("", "tents", "lamps", "pots/pans")
PLACES = (
    "neighbours.tops-put",
    "neighbours.rows-put",
    "neighbours.position-moved",
    "trending.replaced",
    "trending.sent",
)


@pytest.mark.parametrize("seed", range(30))
async def test_owners_die_anywhere_and_sleepers_wake_up(desk: Desk, seed: int) -> None:
    """Between any two writes; what they had begun to do is done again, or stands already."""
    chance = Random(seed)  # noqa: S311 - a story, not a secret
    owner, sleeper = await desk.owner(), await desk.owner()
    for _ in range(80):
        item = chance.choice(ITEMS)
        if chance.random() < 0.5:
            desk.shop.act(item, chance.choice((1.0, 3.0)), chance.randrange(20))
        else:
            desk.shop.say(item, chance.choice(CATEGORIES), hidden=chance.random() < 0.3)
        if chance.random() < 0.1:
            sleeper = owner
        who = sleeper if chance.random() < 0.1 else owner
        number = chance.randrange(SHARDS)
        try:
            if chance.random() < 0.4:
                end = who.shards[number].position + chance.randint(1, 9)
                desk.shop.read(who.shards[number], end)
                await who.store(number)
            if chance.random() < 0.4:
                await who.trending.step()
        except (RuntimeError, PositionMovedError):
            with suppress(RuntimeError):
                await who.trending.join()
            owner = await desk.owner(f"{chance.choice(PLACES)}:{chance.randint(1, 3)}:raise")
            owner.slots[chance.randrange(SHARDS)].writes = chance.randint(0, 12)
    await desk.drained(await desk.owner())
    await desk.right()


@pytest.mark.parametrize("writes", range(8))
async def test_a_death_before_any_write_leaves_the_category_that_an_item_has_left_right(
    desk: Desk, writes: int
) -> None:
    """Of an item that is stored in its new category nobody knows the old one."""
    for item in "ab":
        desk.shop.say(item, "tents")
        desk.shop.act(item)
    await desk.drained(await desk.owner())
    assert await desk.shown() == {"tents": ["a", "b"]}
    desk.shop.say("a", "lamps")
    first = await desk.owner("neighbours.rows-put:1:raise")
    for number, slot in enumerate(first.slots):
        slot.writes = writes
        desk.shop.read(first.shards[number])
        with suppress(RuntimeError):
            await first.store(number)
    await desk.drained(await desk.owner())
    assert await desk.shown() == {"tents": ["b"], "lamps": ["a"]}


async def test_a_death_before_the_first_event_of_all_is_stored_shows_nothing_yet(
    desk: Desk,
) -> None:
    """What is popular in a category is stored ahead of the head that tells of an event."""
    for item in ITEMS:
        desk.shop.say(item, "tents")
        desk.shop.act(item)
    first = await desk.owner("neighbours.tops-put:1:raise")
    with pytest.raises(RuntimeError, match="tops-put"):
        await desk.drained(first)
    owner = await desk.owner()
    await owner.trending.step()
    assert await desk.shown() == {}
    await desk.drained(owner)
    assert await desk.shown() == {"tents": ["a", "b"]}
    await desk.right()


async def test_a_top_is_not_replaced_by_one_of_before_nor_by_one_of_another_state(
    desk: Desk,
) -> None:
    """As blobs are not."""
    slot = (await desk.owner()).slots[0]
    tops = CategoryTops(slot)
    newer, older = ([Popular(item, 0.5, 1)] for item in "ab")
    await CategoryTops(slot).put(7, [CategoryTop("tents", 1, newer)], touched=True)
    await CategoryTops(slot).put(
        6, [CategoryTop("tents", 1, older), CategoryTop("lamps", 2, older)], touched=True
    )
    assert await tops.read(["tents", "lamps", "pots"]) == [newer, older, []]
    assert await tops.touched_since(5) == ["lamps", "tents"]
    assert await tops.touched_since(6) == ["tents"]
    await CategoryTops(slot).put(7, [CategoryTop("tents", 1, older)], touched=False)
    assert await tops.read(["tents"]) == [older]
    slot.state_id = "another"
    with pytest.raises(PositionMovedError):
        await CategoryTops(slot).put(8, [CategoryTop("tents", 1, newer)], touched=True)
    sleeper = Slot(desk.redis, slot.keys, "g")
    with pytest.raises(PositionMovedError):
        await CategoryTops(sleeper).put(8, [CategoryTop("tents", 1, newer)], touched=True)
    assert await tops.read(["tents"]) == [older]


async def test_what_was_on_its_way_is_found_by_the_next_owner_and_nothing_else(
    desk: Desk,
) -> None:
    """Lists of categories in which nothing happened are neither read nor sent again."""
    for item, category in {"a": "tents", "b": "lamps"}.items():
        desk.shop.say(item, category)
        desk.shop.act(item)
    await desk.drained(await desk.owner())
    desk.shop.act("a")
    first = await desk.owner("trending.replaced:1:raise")
    with pytest.raises(RuntimeError, match=r"trending\.replaced"):
        await desk.drained(first)
    desk.broker.taken.clear()
    await desk.drained(await desk.owner())
    assert sorted(desk.broker.taken) == ["trending", "trending:tents"]
    await desk.right()


async def test_lists_that_may_be_lost_are_all_published_again(desk: Desk) -> None:
    """Redis went back in time, or another one answers."""
    for item, category in {"a": "tents", "b": "lamps"}.items():
        desk.shop.say(item, category)
        desk.shop.act(item)
    await desk.drained(await desk.owner())
    await desk.redis.delete("l:trending", "l:trending:tents", "l:trending:lamps")
    await desk.drained(await desk.owner())
    assert await desk.shown() == {}
    await desk.drained(await desk.owner(lists_suspect=True))
    await desk.right()


async def test_a_shard_that_is_behind_what_was_merged_is_asked_for_all_it_has(desk: Desk) -> None:
    """As where the node of a cluster that it lies on was restored alone."""
    desk.shop.say("a", "tents")
    desk.shop.act("a")
    await desk.drained(await desk.owner())
    await desk.redis.hset("s:{i0}:head", "merged", "999,999")
    desk.broker.taken.clear()
    await desk.drained(await desk.owner())
    assert "trending:tents" in desk.broker.taken


async def test_a_list_that_the_state_went_back_behind_is_withdrawn_from_the_topic(
    desk: Desk,
) -> None:
    """What is read again knows that something happened there, and not what was published."""
    desk.shop.say("a", "tents")
    desk.shop.act("a")
    await desk.drained(await desk.owner())
    desk.shop.delete("a")
    await desk.redis.flushall()
    await desk.drained(await desk.owner(lists_suspect=True))
    assert desk.broker.last == {}


async def test_a_category_that_is_lost_stops_the_worker_in_one_line(desk: Desk) -> None:
    """Items name it by a number."""
    for item in "ab":
        desk.shop.say(item, f"of {item}")
    await desk.drained(await desk.owner())
    assert await known_categories(desk.redis, "s:", 2) == {
        "of a", "of b"
    }  # fmt: skip
    for shard in range(SHARDS):
        slot = Slot(desk.redis, SlotKeys("s:", rows_tag(shard)))
        numbers = await CategoryTops(slot).numbers()
        if numbers:
            (name, *_) = sorted(numbers, key=numbers.__getitem__)
            await desk.redis.hdel(f"s:{{i{shard}}}:tops", name)
            await desk.redis.hset(f"s:{{i{shard}}}:tops", "other", bytes(8) + b"\7\0\0\0\x90")
    with pytest.raises(StateError, match=r"lacks a category, .*rebuild"):
        await desk.owner()
