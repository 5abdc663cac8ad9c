"""The user list index of a partition and the clock of its slot: guarantees of their scripts."""

import asyncio
from random import Random
from typing import Any

import pytest
from redis.asyncio import Redis

from streamapp.errors import ClaimLostError
from streamapp.store.slot.slot import Slot
from streamapp.store.values.user_list_index import UserListIndex
from tests.component.harness.user_partition import FAR, KEYS, UserPartition


async def test_the_clock_rises_though_that_of_the_server_does_not(slot: Slot, redis: Redis) -> None:
    """Neither within a millisecond, nor after the server's clock was set back."""
    ticks = [await slot.ownership.next_timestamp("me") for _ in range(50)]
    assert ticks == sorted(set(ticks))
    await redis.hset(KEYS.head, "tick", FAR)
    assert [await slot.ownership.next_timestamp("me") for _ in range(3)] == [
        FAR + 1,
        FAR + 2,
        FAR + 3,
    ]
    assert await redis.hget(KEYS.head, "tick") == str(FAR + 3).encode()


async def test_the_clock_goes_on_after_its_state_was_lost(slot: Slot, redis: Redis) -> None:
    """A counter would begin again below the published `seq`."""
    before = await slot.ownership.next_timestamp("me")
    await redis.hdel(KEYS.head, "tick")
    await asyncio.sleep(0.003)
    assert await slot.ownership.next_timestamp("me") > before


@pytest.mark.parametrize("seed", range(5))
async def test_whoever_takes_over_knows_all_whose_list_is_due(
    audience: UserListIndex, redis: Redis, seed: int
) -> None:
    """Of other users, only those of the same batch; the head says how many."""
    chance = Random(seed)  # noqa: S311 - no secret
    users = [f"u{number}" for number in range(40)]
    rounds: dict[int, set[str]] = {}
    round_of: dict[str, int] = {}
    due: set[str] = set()
    for step in range(200):
        some = chance.sample(users, chance.randrange(1, 12))
        if chance.random() < 0.5:
            await audience.mark_pending("me", some, 200 + step)
            rounds[step] = set(some)
            round_of |= dict.fromkeys(some, step)
            due |= rounds[step]
        else:
            await audience.complete("me", some)
            due -= set(some)
        assert await due_users(redis) == len(due)
        if chance.random() < 0.2:
            await audience.complete("me", [])
            audience = UserListIndex(redis, KEYS)
            found = set((await audience.take_over("me")).due)
            assert due <= found <= set().union(*(rounds[round_of[user]] for user in due))
            assert await due_users(redis) == len(found)
            await audience.complete("me", list(found - due))
    await audience.complete("me", list(due))
    assert not await redis.exists(KEYS.due)


async def test_a_round_holds_as_many_users_as_a_call(audience: UserListIndex, redis: Redis) -> None:
    """And goes with the last of them; a user who is due again belongs to the later batch."""
    users = [f"u{number}" for number in range(1_201)]
    await audience.mark_pending("me", users, 200)
    assert (await redis.hlen(KEYS.due), await due_users(redis)) == (3, 1_201)
    assert await audience.load() == dict.fromkeys(users, 200)
    await audience.complete("me", users[1:])
    assert (await redis.hlen(KEYS.due), await due_users(redis)) == (1, 1)
    await audience.mark_pending("me", users[:2], 300)
    await audience.complete("me", users[1:2])
    assert (await redis.hkeys(KEYS.due), await due_users(redis)) == ([b"4"], 1)
    assert await audience.load() == dict.fromkeys(users, 200) | {"u0": 300, "u1": 300}


async def test_who_is_due_but_not_for_something_new_lives_no_longer(
    audience: UserListIndex,
) -> None:
    """A user who is gone is in no index; names may be any text."""
    users = ["u", '"]}\x00\u00e9\U0001f600', "-1"]
    await audience.mark_pending("me", users, 200)
    await audience.mark_pending("me", users[:2])
    assert await audience.load() == dict.fromkeys(users, 200)
    await audience.complete("me", users, users[1:])
    assert await audience.load() == {"u": 200}


async def test_the_next_owner_counts_pending_users_again(
    audience: UserListIndex, slot: Slot, redis: Redis
) -> None:
    """A rebuild may have removed the head after a previous worker wrote the index."""
    await audience.mark_pending("me", ["v"], 200)
    await audience.mark_pending("me", ["u", "w"], 200)
    await audience.complete("me", ["v"])
    await redis.delete(KEYS.head)
    await slot.ownership.claim("you")
    noted = await audience.take_over("you")
    assert (noted.expires_at, sorted(noted.due)) == ({"u": 200, "v": 200, "w": 200}, ["u", "w"])
    await audience.complete("you", ["u"])
    assert await due_users(redis) == 1
    with pytest.raises(ClaimLostError):
        await audience.take_over("me")


async def test_of_whom_only_a_round_is_left_nothing_is_due(
    audience: UserListIndex, redis: Redis
) -> None:
    """Nothing says how long such a list lives; its batch goes with the next complete one."""
    await audience.mark_pending("me", ["u"], 200)
    await redis.delete(KEYS.audience)
    assert not (await audience.take_over("me")).due
    await audience.complete("me", [])
    assert not await redis.exists(KEYS.due)


async def test_what_was_compared_is_noted(audience: UserListIndex, redis: Redis) -> None:
    """An empty text leaves it as it is."""
    await audience.complete("me", [], seen="7:9")
    await audience.complete("me", [])
    assert await redis.hget(KEYS.head, "seen") == b"7:9"


async def test_whoever_lost_the_claim_moves_neither_clock_nor_notes(
    audience: UserListIndex, slot: Slot, redis: Redis
) -> None:
    """Nor the value that says what was compared."""

    async def all_fields() -> list[Any]:
        return [await redis.hgetall(key) for key in (KEYS.head, KEYS.audience, KEYS.due)]

    await audience.mark_pending("me", ["u", "v"], 200)
    before = await all_fields()
    with pytest.raises(ClaimLostError):
        await audience.mark_pending("you", ["v"], 300)
    with pytest.raises(ClaimLostError):
        await audience.complete("you", ["u", "v"], ["u"], seen="8:9")
    with pytest.raises(ClaimLostError):
        await slot.ownership.next_timestamp("you")
    assert await all_fields() == before


async def due_users(redis: Redis) -> int:
    """Return how many users are pending, as the head says."""
    return int(await redis.hget(KEYS.head, "due_users") or 0)


async def test_rounds_that_are_over_go_while_nothing_is_served(partition: UserPartition) -> None:
    """While the topic takes no lists, a user who comes again and again leaves no old entries."""
    partition.broker.open.clear()
    for number in range(50):
        await partition.sees("u", "ab"[number % 2])
    assert (await partition.due(), await partition.due_users()) == ({"u"}, 1)
    assert await partition.redis.hlen(KEYS.due) <= 2
    partition.broker.open.set()
    await partition.drain()
    assert not await partition.redis.exists(KEYS.due)
