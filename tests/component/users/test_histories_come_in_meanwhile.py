"""Lists for users are made beside the lane: what is noted and stored while a step is under way.

A step is held at a call to Redis or at the broker, as if Redis were slow there.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from streamapp.store.lists import Lists
from streamapp.store.redis import scripts
from streamapp.store.values import user_list_index as room
from streamapp.store.values.user_list_index import UserListIndex
from tests.component.harness.user_partition import ITEMS, WITHIN_S, Desk, history


@asynccontextmanager
async def held(
    monkeypatch: pytest.MonkeyPatch, desk: Desk, method: str
) -> AsyncIterator[asyncio.Task[None]]:
    """Run a step of the owner up to a call of `Lists`, which goes on when this is left."""
    reached, go_on = asyncio.Event(), asyncio.Event()
    call = getattr(Lists, method)

    async def slow(self: Lists, *arguments: Any) -> Any:
        reached.set()
        await go_on.wait()
        return await call(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Lists, method, slow)
        while not reached.is_set():
            step = asyncio.create_task(desk.owner.step(busy=False))
            waits = asyncio.create_task(reached.wait())
            ends = asyncio.wait([step, waits], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait_for(ends, WITHIN_S)
            waits.cancel()
        yield step
        go_on.set()
        await step


async def test_a_user_who_does_more_while_the_list_is_made_is_due_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list that is made pays for the history it was made of alone."""
    await desk.sees("u", "a")
    async with held(monkeypatch, desk, "replace"):
        await desk.sees("u", "a", "b")
    assert await desk.shown("u") == ["x", "b"]
    await desk.owner._publisher.join()
    assert (await desk.due(), await desk.due_users()) == ({"u"}, 1)

    await desk.drain()
    assert desk.broker.last("u") == await desk.shown("u") == ["y", "x"]


async def test_a_user_who_does_more_while_the_list_stays_the_same_is_due_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Likewise where there is nothing to publish but a later end."""
    await desk.sees("u", "a")
    await desk.drain()
    await desk.sees("u", "a")
    async with held(monkeypatch, desk, "extend"):
        await desk.sees("u", "a", "b")
    assert (await desk.due(), await desk.due_users()) == ({"u"}, 1)

    await desk.drain()
    assert desk.broker.last("u") == await desk.shown("u") == ["y", "x"]


async def test_what_is_noted_and_not_yet_stored_stays_noted_when_a_list_arrives(desk: Desk) -> None:
    """Whoever stores it and dies leaves a note, and nobody makes a list of it before."""
    desk.broker.open.clear()
    await desk.sees("u", "a")
    await desk.until(lambda: desk.shown("u"), "the list stands")
    await desk.owner.prepare({"u": history(("a", "b"), ITEMS)})
    desk.broker.open.set()
    await desk.owner._publisher.join()
    assert (await desk.due(), await desk.due_users()) == ({"u"}, 1)
    for _ in range(20):
        await desk.owner.step(busy=False)
    assert await desk.shown("u") == ["x", "b"]


async def test_a_user_who_comes_back_while_the_list_is_removed_gets_it_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though its entries are those that stood before."""
    await desk.open(user_list_ttl=1, refresh_interval=3_600)
    await desk.sees("u", "a")

    async def made() -> bool:
        return not await desk.due_users()

    await desk.until(made, "the list has arrived")
    async with held(monkeypatch, desk, "replace"):
        await desk.sees("u", "a")
    assert await desk.shown("u") is None

    await desk.until(lambda: desk.shown("u"), "the list is back")
    assert (await desk.shown("u"), set(await desk.audience.load())) == (["x", "b"], {"u"})


async def test_the_audience_is_written_in_the_order_of_calls(
    audience: UserListIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the count of users who are due may stay at that of an earlier call."""
    await audience.mark_pending("me", ["u"], 200)
    run, calls = scripts.run, list[str]()

    async def noted(redis: Any, name: str, *arguments: Any) -> Any:
        calls.append(f"{name} begins")
        reply = await run(redis, name, *arguments)
        calls.append(f"{name} ends")
        return reply

    monkeypatch.setattr(room, "run", noted)
    await asyncio.gather(
        audience.complete("me", ["u"]), audience.mark_pending("me", ["u", "v"], 200)
    )
    names = "complete-lists", "mark-pending"
    assert calls == [f"{name} {how}" for name in names for how in ("begins", "ends")]


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_happens_meanwhile_every_user_gets_the_list_of_the_last_history(
    desk: Desk, seed: int
) -> None:
    """Users do things, one after the other, while steps go on all the time."""
    chance = np.random.default_rng(seed)
    doing = True

    async def steps() -> None:
        while doing:
            await desk.owner.step(busy=chance.random() < 0.3)
            await asyncio.sleep(0)

    working = asyncio.create_task(steps())
    last: dict[str, tuple[str, ...]] = {}
    for _ in range(150):
        some = {
            f"u{chance.integers(12)}": chance.permutation(list("abc"))[:2].tolist()
            for _ in range(3)
        }
        await desk.notes({user: history(tuple(items), ITEMS) for user, items in some.items()})
        last |= {user: tuple(items) for user, items in some.items()}
        for _ in range(chance.integers(40)):
            await asyncio.sleep(0)
    doing = False
    await working
    await desk.drain()
    made = {user: await desk.shown(user) for user in last}
    assert {user: desk.broker.last(user) for user in last} == made

    await desk.notes({f"v-{user}": history(items, ITEMS) for user, items in last.items()})
    await desk.drain()
    assert {user: await desk.shown(f"v-{user}") for user in last} == made
    assert (await desk.due(), await desk.due_users()) == (set(), 0)
