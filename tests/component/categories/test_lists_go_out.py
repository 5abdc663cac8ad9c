"""Lists of categories: which of them go out, when, and with which time."""

import orjson
import pytest

from tests.component.harness.shards import ITEMS, SHARDS, Desk
from tests.support.trends import HALF_LIFE_S, START


async def test_a_large_catalogue_withdraws_no_lists_that_never_were(desk: Desk) -> None:
    """Its categories get their numbers, and nothing has happened there."""
    for item in ITEMS:
        desk.shop.say(item, "tents")
    desk.shop.act("z")
    await desk.drained(await desk.owner())
    assert set(desk.broker.taken) == {"trending"}
    desk.shop.act("a")
    await desk.drained(await desk.owner())
    await desk.right()


async def test_many_lists_go_out_in_parts_and_count_as_merged_with_the_last(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever dies in between leaves all of the round to the next."""
    monkeypatch.setattr("streamapp.agents.shard.trending_job._AT_ONCE", 2)
    for item in ITEMS:
        desk.shop.say(item, f"of {item}")
        desk.shop.act(item)
    first = await desk.owner("trending.sent:2:raise")
    with pytest.raises(RuntimeError, match=r"trending\.sent"):
        await desk.drained(first)
    assert await desk.redis.hget("s:{i0}:head", "merged") is None
    await desk.drained(await desk.owner())
    await desk.right()
    assert len(await desk.shown()) == len(ITEMS)


async def test_what_happens_while_lists_go_out_in_parts_is_in_the_next_round(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a category whose list is out already."""
    monkeypatch.setattr("streamapp.agents.shard.trending_job._AT_ONCE", 3)
    for item in ITEMS:
        desk.shop.say(item, f"of {item}")
        desk.shop.act(item)
    owner = await desk.owner()
    for number in range(SHARDS):
        desk.shop.read(owner.shards[number])
        await owner.store(number)
    await owner.trending.step()
    desk.shop.say("b", "of a")
    for number in range(SHARDS):
        desk.shop.read(owner.shards[number])
        await owner.store(number)
    await desk.merged(owner)
    await desk.right()


async def test_other_entries_are_found_when_all_lists_are_to_be_made_again(desk: Desk) -> None:
    """As where lists get another length: what lies behind the old end is not in the tops."""
    desk.shop.say("a", "tents")
    desk.shop.act("a")
    owner = await desk.owner()
    await desk.drained(owner)
    desk.broker.taken.clear()
    for shard in owner.shards:
        shard.categories.mark_all_dirty(len(shard.registry))
    desk.shop.say("zzz", hidden=True)
    await desk.drained(owner)
    assert "trending:tents" in desk.broker.taken


async def test_the_time_of_a_list_is_that_of_the_newest_event_when_it_was_made(
    desk: Desk,
) -> None:
    """An event in another category makes no other list anew."""
    for item, category in {"a": "tents", "b": "lamps"}.items():
        desk.shop.say(item, category)
    desk.shop.act("a", 1.0, 3)
    owner = await desk.owner()
    await desk.drained(owner)
    before = (await desk.standing())["trending:tents"]
    assert orjson.loads(before)["as_of"] == START + 3 * HALF_LIFE_S
    desk.shop.act("b", 1.0, 5)
    await desk.drained(owner)
    standing = await desk.standing()
    assert standing["trending:tents"] == before
    assert orjson.loads(standing["trending:lamps"])["as_of"] == START + 5 * HALF_LIFE_S
    desk.shop.act("a", 1.0, 4)
    await desk.drained(owner)
    value = orjson.loads((await desk.standing())["trending:tents"])
    assert (value["as_of"], value["items"]) == (
        START + 5 * HALF_LIFE_S, [{"id": "a", "score": 0.25 + 0.5}]
    )  # fmt: skip
