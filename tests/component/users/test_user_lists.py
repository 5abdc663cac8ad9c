"""Lists for users: what is due or on its way, and what whoever takes over still knows.

Redis is real, and so are the scripts; in place of the broker stands one that waits to be told.
"""

import asyncio
import json

import pytest

from streamapp.errors import ClaimLostError
from tests.component.harness.user_partition import (
    FAR,
    ITEMS,
    KEYS,
    WITHIN_S,
    Broker,
    Desk,
    history,
    listed,
    seq,
)


async def test_a_list_is_due_until_the_topic_has_it(desk: Desk) -> None:
    """It is noted before the history is stored, and the note goes when the list has arrived."""
    desk.broker.open.clear()
    await desk.sees("u", "a")
    assert await desk.due() == set(await desk.audience.load()) == {"u"}
    await desk.until(lambda: desk.shown("u"), "the list stands")
    assert (await desk.shown("u"), await desk.due_users()) == (["x", "b"], 1)

    desk.broker.open.set()
    await desk.drain()
    assert (await desk.due(), set(await desk.audience.load())) == (set(), {"u"})
    assert desk.broker.taken == [("user:u", await desk.standing("u"))]


async def test_a_user_who_does_more_while_the_list_is_on_its_way_stays_due(desk: Desk) -> None:
    """What arrives is not what is due by then."""
    desk.broker.open.clear()
    await desk.sees("u", "a")
    await desk.until(lambda: desk.shown("u"), "the list stands")
    await desk.sees("u", "a", "b")
    desk.broker.open.set()
    await desk.owner._publisher.join()
    assert await desk.due() == {"u"}
    assert await desk.due_users() == 1

    await desk.drain()
    assert desk.broker.last("u") == await desk.shown("u") == ["y", "x"]
    assert await desk.due_users() == 0


async def test_a_list_that_stays_the_same_is_not_published_and_lives_longer(desk: Desk) -> None:
    """The same bytes, the same `seq`, and nothing on the topic."""
    users = {user: history(("a",), ITEMS) for user in ("u", "v")}
    await desk.open(user_list_ttl=1_000)
    await desk.notes(users)
    await desk.drain()
    before, sent = await desk.standing("u"), list(desk.broker.taken)
    first = await desk.redis.expiretime("l:user:u")

    await desk.open(user_list_ttl=2_000)
    await desk.notes(users)
    await desk.drain()
    assert (await desk.standing("u"), desk.broker.taken) == (before, sent)
    for user in users:
        expires_at = await desk.expires_at(user)
        assert expires_at is not None
        assert expires_at >= first + 900
        assert await desk.redis.expiretime(f"l:user:{user}") == expires_at + 60


async def test_a_due_list_of_an_owner_who_died_is_published_though_the_key_holds_it(
    desk: Desk,
) -> None:
    """Nobody knows whether the topic does."""
    desk.broker.open.clear()
    await desk.sees("u", "a")
    await desk.until(lambda: desk.shown("u"), "the list stands")
    before, dead = await desk.standing("u"), desk.broker

    desk.broker = Broker()
    await desk.open()
    await desk.drain()
    after = await desk.standing("u")
    assert desk.broker.taken == [("user:u", after)]
    assert listed(after) == listed(before)
    assert seq(after) > seq(before)
    dead.open.set()


async def test_an_owner_who_takes_over_in_order_publishes_nothing(desk: Desk) -> None:
    """It reads what stands, and finds that it is right."""
    await desk.sees("u", "a")
    await desk.sees("v", "b")
    await desk.drain()
    sent = list(desk.broker.taken)
    await desk.open()
    await desk.drain()
    assert desk.broker.taken == sent


async def test_a_list_that_a_later_one_keeps_out_stays_due(desk: Desk) -> None:
    """It is brought to its readers as soon as the clock has passed that one, without a sweep."""
    await desk.open(refresh_interval=3_600)
    later = json.dumps({"seq": FAR}, separators=(",", ":")).encode()
    await desk.lists.replace("user", [("u", later)], FAR)
    await desk.sees("u", "a")
    for _ in range(20):
        await desk.owner.step(busy=False)
    assert await desk.due() == {"u"}
    assert (await desk.due_users(), desk.broker.taken) == (1, [])
    assert await desk.standing("u") == later

    await desk.redis.hset(KEYS.head, "tick", FAR)

    async def done() -> bool:
        return not await desk.due_users()

    await desk.until(done, "nothing is due")
    assert desk.broker.last("u") == await desk.shown("u") == ["x", "b"]
    assert seq(await desk.standing("u")) > FAR


async def test_finish_publishes_all_that_is_due_and_ends_where_some_is_refused(desk: Desk) -> None:
    """More than go out together, long before their time; one stays due for the next owner."""
    await desk.open(publish_interval=3_600)
    users = [f"u{number}" for number in range(1_203)]
    await desk.notes({user: history(("a",), ITEMS) for user in users})
    await desk.drain()
    assert len(desk.broker.taken) == len(users)
    await desk.redis.set("l:user:u7", json.dumps({"seq": FAR}, separators=(",", ":")))
    await desk.notes({user: history(("a", "b"), ITEMS) for user in users})
    await desk.owner.step(busy=False)
    assert await desk.due_users() == len(users)

    await asyncio.wait_for(desk.owner.finish(), WITHIN_S)
    assert await desk.due_users() == 1
    assert "u7" in await desk.due()
    topic = dict(desk.broker.taken)
    for user in users:
        assert (topic[f"user:{user}"] == await desk.standing(user)) == (user != "u7")
    assert await desk.shown("u3") == ["y", "x"]


async def test_a_list_follows_those_of_the_items_though_the_user_does_nothing(desk: Desk) -> None:
    """A sweep finds whose lists differ, and publishes only these."""
    await desk.sees("u", "a")
    await desk.sees("v", "b")
    await desk.drain()
    sent = len(desk.broker.taken)
    await desk.item_list("a", {"y": 0.5})
    await desk.drain()
    assert await desk.shown("u") == ["y"]
    assert [key for key, _ in desk.broker.taken[sent:]] == ["user:u"]


async def test_a_swept_list_is_due_before_it_is_replaced(desk: Desk) -> None:
    """An owner who dies then leaves a key that the topic lacks, and a note of it."""
    await desk.sees("u", "a")
    await desk.drain()
    desk.broker.open.clear()
    await desk.item_list("a", {"y": 0.5})

    async def changed() -> bool:
        return await desk.shown("u") == ["y"]

    await desk.until(changed, "the key is replaced")
    dead, desk.broker = desk.broker, Broker()
    await desk.open()
    await desk.drain()
    assert desk.broker.taken == [("user:u", await desk.standing("u"))]
    dead.open.set()


async def test_an_owner_who_lost_the_claim_writes_nothing(desk: Desk) -> None:
    """Neither notes nor lists, nor does it remove any."""
    await desk.open(user_list_ttl=3)
    await desk.sees("u", "a")
    await desk.sees("v", "a")
    await desk.drain()
    before = await desk.redis.hgetall(KEYS.audience), await desk.standing("u")
    await desk.slot.ownership.claim("another")
    with pytest.raises(ClaimLostError):
        await desk.owner.prepare({"u": history(("b",), ITEMS)})

    async def never() -> bool:
        return False

    with pytest.raises(ClaimLostError):
        await desk.until(never, "it notices")
    assert (await desk.redis.hgetall(KEYS.audience), await desk.standing("u")) == before


async def test_what_is_doubted_is_doubted_by_the_next_owner_too(desk: Desk) -> None:
    """An owner who finds that lists may be lost, and dies before it has published any."""
    for user in ("u", "v"):
        await desk.sees(user, "a")
    await desk.drain()
    sent = len(desk.broker.taken)
    await desk.open(lists_suspect=True)
    assert not await desk.drained()
    await desk.open()
    await desk.drain()
    assert sorted(key for key, _ in desk.broker.taken[sent:]) == ["user:u", "user:v"]


async def test_items_may_have_other_numbers_after_the_state_was_begun_anew(desk: Desk) -> None:
    """A worker that goes on through `streamapp rebuild` counts them in another order."""
    await desk.sees("u", "a")
    await desk.drain()
    other = ["b", "a", *ITEMS[2:]]
    await desk.open_again(lists_suspect=True, items=other)
    await desk.sees("u", "a", known=other)
    await desk.sees("v", "b", known=other)
    await desk.drain()
    assert (await desk.shown("u"), await desk.shown("v")) == (["x", "b"], ["y", "a"])


async def test_a_history_that_is_ahead_waits_for_what_it_is_ahead_of(desk: Desk) -> None:
    """Its owner died before it stored the items that are new in it; the log is read again."""
    await desk.sees("v", "b")
    ahead = history(("a", "c"), ITEMS)
    await desk.owner.prepare({"u": ahead})
    await desk.slot.blobs.put(desk.position + 1, [("u", ahead)])

    await desk.open(items=["a", "b"])

    async def arrived() -> bool:
        return await desk.due_users() == 1

    await desk.until(arrived, "the other list arrives")
    await desk.owner.finish()
    assert (await desk.shown("v"), await desk.shown("u")) == (["y", "a"], None)
    assert await desk.due() == {"u"}

    await desk.open(items=ITEMS)
    await desk.notes({"u": ahead})
    await desk.drain()
    assert await desk.shown("u") == ["x", "b"]
