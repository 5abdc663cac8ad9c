"""The audience of a partition and the clock of its slot: what their scripts promise."""

import asyncio

import pytest
from redis.asyncio import Redis

from streamapp.errors import ClaimLostError
from streamapp.store.audience import Audience, Note
from streamapp.store.slot import Slot
from tests.unit.users.desk import FAR, KEYS


async def test_the_clock_rises_though_that_of_the_server_does_not(slot: Slot, redis: Redis) -> None:
    """Neither within a millisecond, nor after the server's clock was set back."""
    ticks = [await slot.tick("me") for _ in range(50)]
    assert ticks == sorted(set(ticks))
    await redis.hset(KEYS.head, "tick", FAR)
    assert [await slot.tick("me") for _ in range(3)] == [FAR + 1, FAR + 2, FAR + 3]
    assert await redis.hget(KEYS.head, "tick") == str(FAR + 3).encode()


async def test_the_clock_goes_on_after_its_state_was_lost(slot: Slot, redis: Redis) -> None:
    """A counter would begin again below what was published."""
    before = await slot.tick("me")
    await redis.hdel(KEYS.head, "tick")
    await asyncio.sleep(0.003)
    assert await slot.tick("me") > before


async def test_the_number_of_due_users_is_that_of_the_notes(audience: Audience) -> None:
    """Whatever is noted after whatever, also twice, and of several users at once."""
    due, not_due = Note(200, due=True), Note(300, due=False)
    steps: list[tuple[dict[str, Note | None], int]] = [
        ({"u": due}, 1),
        ({"u": due}, 1),
        ({"u": not_due, "v": due, "w": due}, 2),
        ({"v": not_due, "w": None}, 0),
        ({"u": None, "v": due}, 1),
        ({"u": None, "v": None, "nobody": None}, 0),
        ({f"u{number}": due for number in range(1_201)}, 1_201),
        ({f"u{number}": (None, not_due)[number % 2] for number in range(1_201)}, 0),
    ]
    for notes, expected in steps:
        before = await audience.load()
        await audience.note("me", notes)
        after = {user: note for user, note in (before | notes).items() if note is not None}
        assert await audience.load() == after
        assert int(await audience._redis.hget(KEYS.head, "due_users") or 0) == expected


async def test_whoever_takes_over_counts_anew_whose_list_is_due(
    audience: Audience, slot: Slot
) -> None:
    """A rebuild may have removed the head behind the notes of a worker of before."""
    notes = {"u": Note(200, due=True), "v": Note(200, due=False), "w": Note(200, due=True)}
    await audience.note("me", dict(notes))
    await audience._redis.delete(KEYS.head)
    await slot.claim("you")
    assert await audience.take_over("you") == notes
    await audience.note("you", {"u": Note(300, due=False)})
    assert await audience._redis.hget(KEYS.head, "due_users") == b"1"
    with pytest.raises(ClaimLostError):
        await audience.take_over("me")


async def test_what_was_compared_is_noted_with_the_last_notes(audience: Audience) -> None:
    """An empty text leaves it as it is."""
    await audience.note("me", {}, "7:9")
    await audience.note("me", {"u": Note(200, due=False)})
    assert await audience._redis.hget(KEYS.head, "seen") == b"7:9"


async def test_whoever_lost_the_claim_moves_neither_clock_nor_notes(
    audience: Audience, slot: Slot
) -> None:
    """Nor what is said to be compared."""
    await audience.note("me", {"u": Note(200, due=True)}, "7:9")
    before = await audience._redis.hgetall(KEYS.head), await audience.load()
    with pytest.raises(ClaimLostError):
        await audience.note("you", {"u": None, "v": Note(300, due=True)}, "8:9")
    with pytest.raises(ClaimLostError):
        await slot.tick("you")
    assert (await audience._redis.hgetall(KEYS.head), await audience.load()) == before
