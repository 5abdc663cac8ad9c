"""Lists for users that end: when their time is over, or where there is nothing to show."""

import json
import time

from tests.component.harness.user_partition import FAR, ITEMS, KEYS, Desk, history, listed, seq


async def test_a_user_without_anything_to_show_has_no_key(desk: Desk) -> None:
    """And one whose list becomes empty loses it, on the topic too."""
    await desk.sees("u", "x")
    await desk.drain()
    assert (await desk.shown("u"), desk.broker.taken) == (None, [])

    await desk.sees("v", "c")
    await desk.drain()
    await desk.sees("v", "c", "a", "x", "b", "y")
    await desk.drain()
    assert await desk.shown("v") is None
    assert desk.broker.taken[-1] == ("user:v", None)


async def test_a_list_goes_when_its_time_is_over_and_comes_back_with_the_user(desk: Desk) -> None:
    """Key, note and record of the topic go; the next list has a higher `seq`."""
    await desk.open(user_list_ttl=3)
    await desk.sees("u", "a")
    await desk.drain()
    before = await desk.standing("u")

    async def gone() -> bool:
        return not await desk.audience.load()

    await desk.until(gone, "the audience is empty")
    assert (await desk.shown("u"), desk.broker.taken[-1]) == (None, ("user:u", None))

    await desk.sees("u", "a")
    await desk.drain()
    after = await desk.standing("u")
    assert listed(after) == listed(before)
    assert seq(after) > seq(before)
    assert desk.broker.last("u") == listed(after)


async def test_without_lists_for_users_those_that_stand_are_removed(desk: Desk) -> None:
    """And whoever does something gets none."""
    for user in ("u", "v"):
        await desk.sees(user, "a")
    await desk.drain()
    await desk.open(user_list_ttl=0)

    async def gone() -> bool:
        return not await desk.audience.load()

    await desk.until(gone, "the audience is empty")
    await desk.sees("u", "b")
    await desk.owner.finish()
    assert await desk.redis.keys("l:user:*") == []
    assert dict(desk.broker.taken) == {"user:u": None, "user:v": None}


async def test_a_shorter_life_holds_for_lists_that_stand(desk: Desk) -> None:
    """Else those of new users would wait behind more old ones than are looked at at once."""
    old = [f"old{number}" for number in range(600)]
    await desk.notes({user: history(("a",), ITEMS) for user in old})
    await desk.drain()
    await desk.open(user_list_ttl=1)
    await desk.sees("new", "a")

    async def gone() -> bool:
        return not await desk.audience.load()

    await desk.until(gone, "the audience is empty")
    assert await desk.redis.keys("l:user:*") == []
    assert set(dict(desk.broker.taken).values()) == {None}


async def test_a_list_that_a_later_one_keeps_from_going_is_not_gone(desk: Desk) -> None:
    """Key and topic say the same until the clock has caught up."""
    await desk.open(user_list_ttl=3)
    await desk.sees("u", "a")
    await desk.drain()
    later = json.dumps({"seq": FAR}, separators=(",", ":")).encode()
    await desk.redis.set("l:user:u", later)
    expires_at = await desk.expires_at("u")
    assert expires_at is not None

    async def over() -> bool:
        return time.time() > expires_at + 1.5

    await desk.until(over, "its time is over")
    assert ("user:u", None) not in desk.broker.taken
    await desk.redis.hset(KEYS.head, "tick", FAR)

    async def gone() -> bool:
        return not await desk.audience.load()

    await desk.until(gone, "the audience is empty")
    assert (await desk.shown("u"), desk.broker.taken[-1]) == (None, ("user:u", None))


async def test_a_key_of_a_user_who_is_new_goes_where_there_is_nothing_to_show(desk: Desk) -> None:
    """`streamapp rebuild` leaves the lists, but no note of them."""
    await desk.lists.replace("user", [("u", b'{"v":1,"seq":5,"items":[]}')], 5)
    await desk.sees("u", "x")
    await desk.drain()
    assert await desk.shown("u") is None


async def test_a_user_whom_a_rollback_forgot_loses_what_the_topic_shows(desk: Desk) -> None:
    """The history comes back at once as one that leaves nothing to show."""
    await desk.sees("v", "c")
    await desk.drain()
    await desk.redis.delete(KEYS.audience, KEYS.due, "l:user:v")
    await desk.redis.hdel(KEYS.head, "due_users")
    await desk.open_again(lists_suspect=True)
    await desk.sees("v", "c", "a", "x", "b", "y")
    await desk.drain()
    assert desk.broker.taken[-1] == ("user:v", None)


async def test_each_list_is_removed_at_a_time_of_its_own(desk: Desk) -> None:
    """Whether it is replaced or stays as it is, and in whichever call its time comes."""
    users = [str(number) for number in range(600)]
    until = int(time.time()) + 1_000

    async def ends(user: str) -> int:
        return int(await desk.redis.expiretime(desk.lists.key("user", user)))

    first = [until + place for place in range(len(users))]
    await desk.lists.replace("user", [(user, b"{}") for user in users], 1, first)
    assert [await ends(user) for user in users] == first

    later = {user: at + 5_000 for user, at in zip(users, first, strict=True)}
    await desk.lists.extend("user", {**later, "nobody": until})
    assert {user: await ends(user) for user in users} == later
    assert await desk.lists.get("user", "nobody") is None


async def test_a_list_that_redis_has_removed_is_there_again_with_its_user(desk: Desk) -> None:
    """Its clock may be ahead, or the worker behind; the same entries are published again."""
    await desk.sees("u", "a")
    await desk.drain()
    before = await desk.standing("u")
    await desk.redis.delete(desk.lists.key("user", "u"))
    desk.broker.taken.clear()
    await desk.sees("u", "a")
    await desk.drain()
    assert seq(await desk.standing("u")) > seq(before)
    assert desk.broker.last("u") == await desk.shown("u") == ["x", "b"]


async def test_lists_end_while_more_are_due_than_can_be_made(desk: Desk) -> None:
    """However long that takes."""
    await desk.open(user_list_ttl=1)
    await desk.sees("u", "a")
    await desk.drain()
    more = iter(range(1_000_000))

    async def is_gone() -> bool:
        while len(desk.owner._pending) < 1_500:
            await desk.notes({f"v{next(more)}": history(("a",), ITEMS) for _ in range(500)})
        return not await desk.expires_at("u")

    await desk.until(is_gone, "the list has ended")
    assert len(desk.owner._pending) >= 1_000
    assert await desk.shown("u") is None
