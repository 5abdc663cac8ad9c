"""Lists for users are made in the background: histories are prepared and stored meanwhile.

A step is held at a call to Redis or at the broker, as if Redis were slow.
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
from tests.component.harness.user_partition import ITEMS, WITHIN_S, UserPartition, history


@asynccontextmanager
async def held(
    monkeypatch: pytest.MonkeyPatch, partition: UserPartition, method: str
) -> AsyncIterator[asyncio.Task[None]]:
    """Run a step of the owner up to a call of `Lists`, which goes on when the block ends."""
    reached, go_on = asyncio.Event(), asyncio.Event()
    call = getattr(Lists, method)

    async def slow(self: Lists, *arguments: Any) -> Any:
        reached.set()
        await go_on.wait()
        return await call(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Lists, method, slow)
        while not reached.is_set():
            step = asyncio.create_task(partition.owner.step(busy=False))
            waits = asyncio.create_task(reached.wait())
            ends = asyncio.wait([step, waits], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait_for(ends, WITHIN_S)
            waits.cancel()
        yield step
        go_on.set()
        await step


async def test_a_user_who_does_more_while_the_list_is_made_is_due_again(
    partition: UserPartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list that is made completes only the history that it was made of."""
    await partition.sees("u", "a")
    async with held(monkeypatch, partition, "replace"):
        await partition.sees("u", "a", "b")
    assert await partition.shown("u") == ["x", "b"]
    await partition.owner._publisher.join()
    assert (await partition.due(), await partition.due_users()) == ({"u"}, 1)

    await partition.drain()
    assert partition.broker.last("u") == await partition.shown("u") == ["y", "x"]


async def test_a_user_who_repeats_an_event_while_the_list_is_made_is_due_again(
    partition: UserPartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The history has equal bytes, but the list must live as long as the later event asks for."""
    await partition.sees("u", "a")
    async with held(monkeypatch, partition, "replace"):
        await partition.sees("u", "a")
    await partition.owner._publisher.join()
    assert (await partition.due(), await partition.due_users()) == ({"u"}, 1)
    await partition.drain()
    assert (await partition.due(), await partition.shown("u")) == (set(), ["x", "b"])


async def test_a_user_who_does_more_while_the_list_stays_the_same_is_due_again(
    partition: UserPartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same if there is nothing to publish but a later end."""
    await partition.sees("u", "a")
    await partition.drain()
    await partition.sees("u", "a")
    async with held(monkeypatch, partition, "extend"):
        await partition.sees("u", "a", "b")
    assert (await partition.due(), await partition.due_users()) == ({"u"}, 1)

    await partition.drain()
    assert partition.broker.last("u") == await partition.shown("u") == ["y", "x"]


async def test_what_is_noted_and_not_yet_stored_stays_noted_when_a_list_arrives(
    partition: UserPartition,
) -> None:
    """If its owner dies, the index still has the user; no list is made of it before that."""
    partition.broker.open.clear()
    await partition.sees("u", "a")
    await partition.until(lambda: partition.shown("u"), "the list is stored")
    await partition.owner.prepare({"u": history(("a", "b"), ITEMS)})
    partition.broker.open.set()
    await partition.owner._publisher.join()
    assert (await partition.due(), await partition.due_users()) == ({"u"}, 1)
    for _ in range(20):
        await partition.owner.step(busy=False)
    assert await partition.shown("u") == ["x", "b"]


async def test_a_user_who_comes_back_while_the_list_is_removed_gets_it_again(
    partition: UserPartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although its entries are the stored ones."""
    await partition.open(user_list_ttl=1, refresh_interval=3_600)
    await partition.sees("u", "a")

    async def made() -> bool:
        return not await partition.due_users()

    await partition.until(made, "the list has arrived")
    async with held(monkeypatch, partition, "replace"):
        await partition.sees("u", "a")
    assert await partition.shown("u") is None

    await partition.until(lambda: partition.shown("u"), "the list is back")
    assert (await partition.shown("u"), set(await partition.audience.load())) == (["x", "b"], {"u"})


async def test_the_audience_is_written_in_the_order_of_calls(
    audience: UserListIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the count of pending users may stay at that of an earlier call."""
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
    partition: UserPartition, seed: int
) -> None:
    """Users act, one after the other, while steps run all the time."""
    chance = np.random.default_rng(seed)
    doing = True

    async def steps() -> None:
        while doing:
            await partition.owner.step(busy=chance.random() < 0.3)
            await asyncio.sleep(0)

    working = asyncio.create_task(steps())
    last: dict[str, tuple[str, ...]] = {}
    for _ in range(150):
        some = {
            f"u{chance.integers(12)}": chance.permutation(list("abc"))[:2].tolist()
            for _ in range(3)
        }
        await partition.notes({user: history(tuple(items), ITEMS) for user, items in some.items()})
        last |= {user: tuple(items) for user, items in some.items()}
        for _ in range(chance.integers(40)):
            await asyncio.sleep(0)
    doing = False
    await working
    await partition.drain()
    made = {user: await partition.shown(user) for user in last}
    assert {user: partition.broker.last(user) for user in last} == made

    await partition.notes({f"v-{user}": history(items, ITEMS) for user, items in last.items()})
    await partition.drain()
    assert {user: await partition.shown(f"v-{user}") for user in last} == made
    assert (await partition.due(), await partition.due_users()) == (set(), 0)
