"""User lists that end: their time is over, or there is nothing to show."""

import json
import time

import pytest

from tests.component.harness.user_partition import (
    FAR,
    ITEMS,
    KEYS,
    UserPartition,
    history,
    listed,
    seq,
)


async def test_a_user_without_anything_to_show_has_no_key(partition: UserPartition) -> None:
    """A list that becomes empty is removed, on the topic too."""
    await partition.sees("u", "x")
    await partition.drain()
    assert (await partition.shown("u"), partition.broker.taken) == (None, [])

    await partition.sees("v", "c")
    await partition.drain()
    await partition.sees("v", "c", "a", "x", "b", "y")
    await partition.drain()
    assert await partition.shown("v") is None
    assert partition.broker.taken[-1] == ("user:v", None)


async def test_a_list_goes_when_its_time_is_over_and_comes_back_with_the_user(
    partition: UserPartition,
) -> None:
    """Key, pending user and record of the topic go; the next list has a higher `seq`."""
    await partition.open(user_list_ttl=3)
    await partition.sees("u", "a")
    await partition.drain()
    before = await partition.stored_list("u")

    async def gone() -> bool:
        return not await partition.audience.load()

    await partition.until(gone, "the audience is empty")
    assert (await partition.shown("u"), partition.broker.taken[-1]) == (None, ("user:u", None))

    await partition.sees("u", "a")
    await partition.drain()
    after = await partition.stored_list("u")
    assert listed(after) == listed(before)
    assert seq(after) > seq(before)
    assert partition.broker.last("u") == listed(after)


async def test_without_lists_for_users_those_that_stand_are_removed(
    partition: UserPartition,
) -> None:
    """And a user who does something gets none."""
    for user in ("u", "v"):
        await partition.sees(user, "a")
    await partition.drain()
    await partition.open(user_list_ttl=0)

    async def gone() -> bool:
        return not await partition.audience.load()

    await partition.until(gone, "the audience is empty")
    await partition.sees("u", "b")
    await partition.owner.finish()
    assert await partition.redis.keys("l:user:*") == []
    assert dict(partition.broker.taken) == {"user:u": None, "user:v": None}


async def test_a_shorter_life_holds_for_lists_that_stand(partition: UserPartition) -> None:
    """Otherwise lists of new users would wait behind more old ones than one step removes."""
    old = [f"old{number}" for number in range(600)]
    await partition.notes({user: history(("a",), ITEMS) for user in old})
    await partition.drain()
    await partition.open(user_list_ttl=1)
    await partition.sees("new", "a")

    async def gone() -> bool:
        return not await partition.audience.load()

    await partition.until(gone, "the audience is empty")
    assert await partition.redis.keys("l:user:*") == []
    assert set(dict(partition.broker.taken).values()) == {None}


async def test_a_list_of_a_later_time_goes_when_its_time_is_over(
    partition: UserPartition,
) -> None:
    """The clock of the slot passes the list, and its removal has a higher `seq` still."""
    await partition.open(user_list_ttl=3)
    await partition.sees("u", "a")
    await partition.drain()
    later = json.dumps({"seq": FAR}, separators=(",", ":")).encode()
    await partition.redis.set("l:user:u", later)

    async def gone() -> bool:
        return not await partition.audience.load()

    await partition.until(gone, "the audience is empty")
    assert (await partition.shown("u"), partition.broker.taken[-1]) == (None, ("user:u", None))
    assert int(await partition.redis.hget(KEYS.head, "tick") or 0) > FAR


@pytest.mark.parametrize("off_s", [-40 * 86_400.0, -7_200.0, 40 * 86_400.0])
async def test_lists_live_by_the_clock_of_redis(
    partition: UserPartition, monkeypatch: pytest.MonkeyPatch, off_s: float
) -> None:
    """A worker whose clock is behind deletes no list at once; one that is ahead removes none."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + off_s)
    await partition.open(user_list_ttl=30 * 86_400)
    await partition.sees("u", "a")
    await partition.drain()
    await partition.open(user_list_ttl=30 * 86_400)
    for _ in range(5):
        await partition.owner.step(busy=False)
    assert await partition.shown("u") == ["x", "b"]
    ttl_s = await partition.redis.ttl(partition.lists.key("user", "u"))
    assert 30 * 86_400 - 60 < ttl_s - 60 <= 30 * 86_400


async def test_a_key_of_a_user_who_is_new_goes_where_there_is_nothing_to_show(
    partition: UserPartition,
) -> None:
    """`streamapp rebuild` leaves the lists, but not their users in the index."""
    await partition.lists.replace("user", [("u", b'{"v":1,"seq":5,"items":[]}')], 5)
    await partition.sees("u", "x")
    await partition.drain()
    assert await partition.shown("u") is None


async def test_a_user_whom_a_rollback_forgot_loses_what_the_topic_shows(
    partition: UserPartition,
) -> None:
    """The history comes back at once as one that leaves nothing to show."""
    await partition.sees("v", "c")
    await partition.drain()
    await partition.redis.delete(KEYS.audience, KEYS.due, "l:user:v")
    await partition.redis.hdel(KEYS.head, "due_users")
    await partition.open_again(lists_suspect=True)
    await partition.sees("v", "c", "a", "x", "b", "y")
    await partition.drain()
    assert partition.broker.taken[-1] == ("user:v", None)


async def test_each_list_is_removed_at_a_time_of_its_own(partition: UserPartition) -> None:
    """Replaced or unchanged, in whichever call its time comes."""
    users = [str(number) for number in range(600)]
    until = int(time.time()) + 1_000

    async def ends(user: str) -> int:
        return int(await partition.redis.expiretime(partition.lists.key("user", user)))

    first = [until + place for place in range(len(users))]
    await partition.lists.replace("user", [(user, b"{}") for user in users], 1, first)
    assert [await ends(user) for user in users] == first

    later = {user: at + 5_000 for user, at in zip(users, first, strict=True)}
    await partition.lists.extend("user", {**later, "nobody": until})
    assert {user: await ends(user) for user in users} == later
    assert await partition.lists.get("user", "nobody") is None


async def test_a_list_that_redis_has_removed_is_there_again_with_its_user(
    partition: UserPartition,
) -> None:
    """Its clock may be ahead, or the worker behind; the same entries are published again."""
    await partition.sees("u", "a")
    await partition.drain()
    before = await partition.stored_list("u")
    await partition.redis.delete(partition.lists.key("user", "u"))
    partition.broker.taken.clear()
    await partition.sees("u", "a")
    await partition.drain()
    assert seq(await partition.stored_list("u")) > seq(before)
    assert partition.broker.last("u") == await partition.shown("u") == ["x", "b"]


async def test_lists_end_while_more_are_due_than_can_be_made(partition: UserPartition) -> None:
    """However long that takes."""
    await partition.open(user_list_ttl=1)
    await partition.sees("u", "a")
    await partition.drain()
    more = iter(range(1_000_000))

    async def is_gone() -> bool:
        while len(partition.owner._pending) < 1_500:
            await partition.notes({f"v{next(more)}": history(("a",), ITEMS) for _ in range(500)})
        return not await partition.expires_at("u")

    await partition.until(is_gone, "the list has ended")
    assert len(partition.owner._pending) >= 1_000
    assert await partition.shown("u") is None


async def test_the_list_of_the_user_who_did_something_last_is_removed_last(
    partition: UserPartition,
) -> None:
    """Only the first lists are looked at, so the others must not end before them."""
    for user in ("u", "v", "u"):
        await partition.sees(user, "a")
    assert list(partition.owner._published) == ["v", "u"]
