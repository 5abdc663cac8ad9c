"""Lists for users: what is due or in flight, and what the next owner still knows.

Redis and its scripts are real; the broker is a fake that can be held.
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
    UserPartition,
    history,
    listed,
    seq,
)


async def test_a_list_is_due_until_the_topic_has_it(partition: UserPartition) -> None:
    """The index has the user before the history is stored, and until the list has arrived."""
    partition.broker.open.clear()
    await partition.sees("u", "a")
    assert await partition.due() == set(await partition.audience.load()) == {"u"}
    await partition.until(lambda: partition.shown("u"), "the list is stored")
    assert (await partition.shown("u"), await partition.due_users()) == (["x", "b"], 1)

    partition.broker.open.set()
    await partition.drain()
    assert (await partition.due(), set(await partition.audience.load())) == (set(), {"u"})
    assert partition.broker.taken == [("user:u", await partition.stored_list("u"))]


async def test_a_user_who_does_more_while_the_list_is_on_its_way_stays_due(
    partition: UserPartition,
) -> None:
    """The list that arrives is not the one that is due now."""
    partition.broker.open.clear()
    await partition.sees("u", "a")
    await partition.until(lambda: partition.shown("u"), "the list is stored")
    await partition.sees("u", "a", "b")
    partition.broker.open.set()
    await partition.owner._publisher.join()
    assert await partition.due() == {"u"}
    assert await partition.due_users() == 1

    await partition.drain()
    assert partition.broker.last("u") == await partition.shown("u") == ["y", "x"]
    assert await partition.due_users() == 0


async def test_a_list_that_stays_the_same_is_not_published_and_lives_longer(
    partition: UserPartition,
) -> None:
    """The same bytes, the same `seq`, and nothing on the topic."""
    users = {user: history(("a",), ITEMS) for user in ("u", "v")}
    await partition.open(user_list_ttl=1_000)
    await partition.notes(users)
    await partition.drain()
    before, sent = await partition.stored_list("u"), list(partition.broker.taken)
    first = await partition.redis.expiretime("l:user:u")

    await partition.open(user_list_ttl=2_000)
    await partition.notes(users)
    await partition.drain()
    assert (await partition.stored_list("u"), partition.broker.taken) == (before, sent)
    for user in users:
        expires_at = await partition.expires_at(user)
        assert expires_at is not None
        assert expires_at >= first + 900
        assert await partition.redis.expiretime(f"l:user:{user}") == expires_at + 60


async def test_a_due_list_of_an_owner_who_died_is_published_though_the_key_holds_it(
    partition: UserPartition,
) -> None:
    """The next owner cannot know whether the topic has it."""
    partition.broker.open.clear()
    await partition.sees("u", "a")
    await partition.until(lambda: partition.shown("u"), "the list is stored")
    before, dead = await partition.stored_list("u"), partition.broker

    partition.broker = Broker()
    await partition.open()
    await partition.drain()
    after = await partition.stored_list("u")
    assert partition.broker.taken == [("user:u", after)]
    assert listed(after) == listed(before)
    assert seq(after) > seq(before)
    dead.open.set()


async def test_an_owner_who_takes_over_in_order_publishes_nothing(partition: UserPartition) -> None:
    """It reads the stored lists, and finds that they are right."""
    await partition.sees("u", "a")
    await partition.sees("v", "b")
    await partition.drain()
    sent = list(partition.broker.taken)
    await partition.open()
    await partition.drain()
    assert partition.broker.taken == sent


async def test_a_list_passes_one_of_a_later_time(partition: UserPartition) -> None:
    """A state before this one may have left it, on a server whose clock was ahead."""
    await partition.open(refresh_interval=3_600)
    later = json.dumps({"seq": FAR}, separators=(",", ":")).encode()
    await partition.lists.replace("user", [("u", later)], FAR)
    await partition.sees("u", "a")

    async def done() -> bool:
        return not await partition.due_users()

    await partition.until(done, "nothing is due")
    assert partition.broker.last("u") == await partition.shown("u") == ["x", "b"]
    assert seq(await partition.stored_list("u")) > FAR


async def test_a_swept_list_passes_one_of_a_later_time(partition: UserPartition) -> None:
    """It stays due until it is published, without another sweep."""
    await partition.sees("u", "a")
    await partition.drain()
    later = json.dumps({"seq": FAR}, separators=(",", ":")).encode()
    await partition.redis.set("l:user:u", later)
    await partition.item_list("a", {"y": 0.5})

    async def is_published() -> bool:
        return await partition.stored_list("u") != later

    await partition.until(is_published, "the list is published")
    assert await partition.shown("u") == ["y"]


async def test_finish_publishes_all_that_is_due_and_ends_where_some_is_refused(
    partition: UserPartition,
) -> None:
    """More than go out together, long before their time; one stays pending for the next owner."""
    await partition.open(publish_interval=3_600)
    users = [f"u{number}" for number in range(1_203)]
    await partition.notes({user: history(("a",), ITEMS) for user in users})
    await partition.drain()
    assert len(partition.broker.taken) == len(users)
    await partition.redis.set("l:user:u7", json.dumps({"seq": FAR}, separators=(",", ":")))
    await partition.notes({user: history(("a", "b"), ITEMS) for user in users})
    await partition.owner.step(busy=False)
    assert await partition.due_users() == len(users)

    await asyncio.wait_for(partition.owner.finish(), WITHIN_S)
    assert await partition.due_users() == 1
    assert "u7" in await partition.due()
    topic = dict(partition.broker.taken)
    for user in users:
        assert (topic[f"user:{user}"] == await partition.stored_list(user)) == (user != "u7")
    assert await partition.shown("u3") == ["y", "x"]


async def test_a_list_follows_those_of_the_items_though_the_user_does_nothing(
    partition: UserPartition,
) -> None:
    """A sweep finds the lists that differ, and publishes only these."""
    await partition.sees("u", "a")
    await partition.sees("v", "b")
    await partition.drain()
    sent = len(partition.broker.taken)
    await partition.item_list("a", {"y": 0.5})
    await partition.drain()
    assert await partition.shown("u") == ["y"]
    assert [key for key, _ in partition.broker.taken[sent:]] == ["user:u"]


async def test_a_swept_list_is_due_before_it_is_replaced(partition: UserPartition) -> None:
    """An owner who dies then leaves a key that the topic lacks, and a pending user."""
    await partition.sees("u", "a")
    await partition.drain()
    partition.broker.open.clear()
    await partition.item_list("a", {"y": 0.5})

    async def changed() -> bool:
        return await partition.shown("u") == ["y"]

    await partition.until(changed, "the key is replaced")
    dead, partition.broker = partition.broker, Broker()
    await partition.open()
    await partition.drain()
    assert partition.broker.taken == [("user:u", await partition.stored_list("u"))]
    dead.open.set()


async def test_an_owner_who_lost_the_claim_writes_nothing(partition: UserPartition) -> None:
    """Neither to the index nor to lists, and it removes none."""
    await partition.open(user_list_ttl=3)
    await partition.sees("u", "a")
    await partition.sees("v", "a")
    await partition.drain()
    before = await partition.redis.hgetall(KEYS.audience), await partition.stored_list("u")
    await partition.slot.ownership.claim("another")
    with pytest.raises(ClaimLostError):
        await partition.owner.prepare({"u": history(("b",), ITEMS)})

    async def never() -> bool:
        return False

    with pytest.raises(ClaimLostError):
        await partition.until(never, "it notices")
    assert (
        await partition.redis.hgetall(KEYS.audience),
        await partition.stored_list("u"),
    ) == before


async def test_what_is_doubted_is_doubted_by_the_next_owner_too(partition: UserPartition) -> None:
    """An owner finds that lists may be lost, and dies before it has published any."""
    for user in ("u", "v"):
        await partition.sees(user, "a")
    await partition.drain()
    sent = len(partition.broker.taken)
    await partition.open(lists_suspect=True)
    assert not await partition.drained()
    await partition.open()
    await partition.drain()
    assert sorted(key for key, _ in partition.broker.taken[sent:]) == ["user:u", "user:v"]


async def test_items_may_have_other_numbers_after_a_rebuild(
    partition: UserPartition,
) -> None:
    """A worker that goes on through `streamapp rebuild` numbers them in another order."""
    await partition.sees("u", "a")
    await partition.drain()
    other = ["b", "a", *ITEMS[2:]]
    await partition.open_again(lists_suspect=True, items=other)
    await partition.sees("u", "a", known=other)
    await partition.sees("v", "b", known=other)
    await partition.drain()
    assert (await partition.shown("u"), await partition.shown("v")) == (["x", "b"], ["y", "a"])


async def test_a_history_that_is_ahead_waits_for_what_it_is_ahead_of(
    partition: UserPartition,
) -> None:
    """Its owner died before it stored the new items in it; the log is read again."""
    await partition.sees("v", "b")
    ahead = history(("a", "c"), ITEMS)
    await partition.owner.prepare({"u": ahead})
    await partition.slot.blobs.put(partition.position + 1, [("u", ahead)])

    await partition.open(items=["a", "b"])

    async def arrived() -> bool:
        return await partition.due_users() == 1

    await partition.until(arrived, "the other list arrives")
    await partition.owner.finish()
    assert (await partition.shown("v"), await partition.shown("u")) == (["y", "a"], None)
    assert await partition.due() == {"u"}

    await partition.open(items=ITEMS)
    await partition.notes({"u": ahead})
    await partition.drain()
    assert await partition.shown("u") == ["x", "b"]


async def test_a_list_that_there_is_no_time_for_is_left_to_the_next_owner(
    partition: UserPartition,
) -> None:
    """It stays pending, and the worker stops in time."""
    await partition.open(publish_interval=3_600)
    await partition.sees("u", "a")
    await partition.drain()
    await partition.sees("u", "b")
    await partition.owner.finish(until=0.0)
    assert (await partition.shown("u"), await partition.due()) == (["x", "b"], {"u"})

    await partition.open(publish_interval=3_600)
    await partition.owner.finish()
    assert (await partition.shown("u"), await partition.due()) == (["y", "a"], set())
