"""Lists of categories: after any death they are the true ones, in Redis and on the topic.

Redis is real, and so are checkpoints and the merge of their tops.
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
from tests.component.harness.shards import ITEMS, SHARDS, Harness

CATEGORIES = ("", "tents", "lamps", "pots/pans")
PLACES = (
    "neighbours.tops-put",
    "neighbours.rows-put",
    "neighbours.position-moved",
    "trending.replaced",
    "trending.sent",
)


@pytest.mark.parametrize("tolerance", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(30))
async def test_owners_die_anywhere_and_sleepers_wake_up(
    harness: Harness, seed: int, tolerance: float
) -> None:
    """Between any two writes; the next owner does it again, or finds that it is done.

    The topic equals the keys also if an owner leaves out lists that differ little.
    """
    harness.tolerance = tolerance
    chance = Random(seed)  # noqa: S311 - a story, not a secret
    owner, sleeper = await harness.owner(), await harness.owner()
    for _ in range(80):
        item = chance.choice(ITEMS)
        if chance.random() < 0.5:
            harness.shop.act(item, chance.choice((1.0, 3.0)), chance.randrange(20))
        else:
            harness.shop.say(item, chance.choice(CATEGORIES), hidden=chance.random() < 0.3)
        if chance.random() < 0.1:
            sleeper = owner
        who = sleeper if chance.random() < 0.1 else owner
        number = chance.randrange(SHARDS)
        try:
            if chance.random() < 0.4:
                end = who.shards[number].position + chance.randint(1, 9)
                harness.shop.read(who.shards[number], end)
                await who.store(number)
            if chance.random() < 0.4:
                await who.trending.step()
        except (RuntimeError, PositionMovedError):
            with suppress(RuntimeError):
                await who.trending.join()
            owner = await harness.owner(f"{chance.choice(PLACES)}:{chance.randint(1, 3)}:raise")
            owner.slots[chance.randrange(SHARDS)].writes = chance.randint(0, 12)
    await harness.drained(await harness.owner())
    await harness.right()


@pytest.mark.parametrize("writes", range(8))
async def test_a_death_before_any_write_leaves_the_category_that_an_item_has_left_right(
    harness: Harness, writes: int
) -> None:
    """If an item is stored in its new category, its old category is no longer known."""
    for item in "ab":
        harness.shop.say(item, "tents")
        harness.shop.act(item)
    await harness.drained(await harness.owner())
    assert await harness.shown() == {"tents": ["a", "b"]}
    harness.shop.say("a", "lamps")
    first = await harness.owner("neighbours.rows-put:1:raise")
    for number, slot in enumerate(first.slots):
        slot.writes = writes
        harness.shop.read(first.shards[number])
        with suppress(RuntimeError):
            await first.store(number)
    await harness.drained(await harness.owner())
    assert await harness.shown() == {"tents": ["b"], "lamps": ["a"]}


async def test_a_death_before_the_first_event_of_all_is_stored_shows_nothing_yet(
    harness: Harness,
) -> None:
    """The top of a category is stored ahead of the head that shows an event."""
    for item in ITEMS:
        harness.shop.say(item, "tents")
        harness.shop.act(item)
    first = await harness.owner("neighbours.tops-put:1:raise")
    with pytest.raises(RuntimeError, match="tops-put"):
        await harness.drained(first)
    owner = await harness.owner()
    await owner.trending.step()
    assert await harness.shown() == {}
    await harness.drained(owner)
    assert await harness.shown() == {"tents": ["a", "b"]}
    await harness.right()


async def test_a_top_is_not_replaced_by_one_of_before_nor_by_one_of_another_state(
    harness: Harness,
) -> None:
    """As blobs are not."""
    slot = (await harness.owner()).slots[0]
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
    sleeper = Slot(harness.redis, slot.keys, "g")
    with pytest.raises(PositionMovedError):
        await CategoryTops(sleeper).put(8, [CategoryTop("tents", 1, newer)], touched=True)
    assert await tops.read(["tents"]) == [older]


async def test_what_was_on_its_way_is_found_by_the_next_owner_and_nothing_else(
    harness: Harness,
) -> None:
    """Lists of categories without events are neither read nor sent again."""
    for item, category in {"a": "tents", "b": "lamps"}.items():
        harness.shop.say(item, category)
        harness.shop.act(item)
    await harness.drained(await harness.owner())
    harness.shop.act("a")
    first = await harness.owner("trending.replaced:1:raise")
    with pytest.raises(RuntimeError, match=r"trending\.replaced"):
        await harness.drained(first)
    harness.broker.taken.clear()
    await harness.drained(await harness.owner())
    assert sorted(harness.broker.taken) == ["trending", "trending:tents"]
    await harness.right()


async def test_lists_that_may_be_lost_are_all_published_again(harness: Harness) -> None:
    """Redis went back in time, or another server answers."""
    for item, category in {"a": "tents", "b": "lamps"}.items():
        harness.shop.say(item, category)
        harness.shop.act(item)
    await harness.drained(await harness.owner())
    await harness.redis.delete("l:trending", "l:trending:tents", "l:trending:lamps")
    await harness.drained(await harness.owner())
    assert await harness.shown() == {}
    await harness.drained(await harness.owner(lists_suspect=True))
    await harness.right()


async def test_a_shard_that_is_behind_what_was_merged_is_asked_for_all_it_has(
    harness: Harness,
) -> None:
    """As when only its cluster node was restored."""
    harness.shop.say("a", "tents")
    harness.shop.act("a")
    await harness.drained(await harness.owner())
    await harness.redis.hset("s:{i0}:head", "merged", "999,999")
    harness.broker.taken.clear()
    await harness.drained(await harness.owner())
    assert "trending:tents" in harness.broker.taken


async def test_a_list_that_the_state_went_back_behind_is_withdrawn_from_the_topic(
    harness: Harness,
) -> None:
    """The next read knows that an event happened there, and not what was published."""
    harness.shop.say("a", "tents")
    harness.shop.act("a")
    await harness.drained(await harness.owner())
    harness.shop.delete("a")
    await harness.redis.flushall()
    await harness.drained(await harness.owner(lists_suspect=True))
    assert harness.broker.last == {}


async def test_a_category_that_is_lost_stops_the_worker_in_one_line(harness: Harness) -> None:
    """Items refer to it by a number."""
    for item in "ab":
        harness.shop.say(item, f"of {item}")
    await harness.drained(await harness.owner())
    assert await known_categories(harness.redis, "s:", 2) == {
        "of a", "of b"
    }  # fmt: skip
    for shard in range(SHARDS):
        slot = Slot(harness.redis, SlotKeys("s:", rows_tag(shard)))
        numbers = await CategoryTops(slot).numbers()
        if numbers:
            (name, *_) = sorted(numbers, key=numbers.__getitem__)
            await harness.redis.hdel(f"s:{{i{shard}}}:tops", name)
            await harness.redis.hset(f"s:{{i{shard}}}:tops", "other", bytes(8) + b"\7\0\0\0\x90")
    with pytest.raises(StateError, match=r"lacks a category, .*rebuild"):
        await harness.owner()
