"""A checkpoint is written while deltas are applied: what it holds, and what is left for the next.

Redis is real, and so are checkpoints; one of them is held before a write, as if Redis were slow.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from streamapp.agents.checkpoint import Pending
from streamapp.core.shard import Shard
from tests.unit.categories.desk import SHARDS, WITHIN_S, Desk, MortalSlot, Owner


@asynccontextmanager
async def held(
    monkeypatch: pytest.MonkeyPatch, owner: Owner, number: int, method: str
) -> AsyncIterator[None]:
    """Begin to store a shard; its slot waits before its first call of `method` until this ends."""
    reached, go_on = asyncio.Event(), asyncio.Event()
    call = getattr(MortalSlot, method)

    async def slow(self: MortalSlot, *arguments: Any) -> Any:
        if not reached.is_set():
            reached.set()
            await go_on.wait()
        return await call(self, *arguments)

    checkpoint, shard = owner.checkpoints[number], owner.shards[number]
    taken = checkpoint.take(shard, Pending(), {})
    assert taken is not None
    with monkeypatch.context() as patch:
        patch.setattr(MortalSlot, method, slow)
        writing = asyncio.create_task(checkpoint.write(shard, taken))
        await asyncio.wait_for(reached.wait(), WITHIN_S)
        yield
        go_on.set()
        await writing


def said(shard: Shard) -> dict[str, Any]:
    """Return what a shard counts, by item; it has no rows here that are not in memory."""
    numbers = np.flatnonzero(shard.norms.users)
    norms = {shard.registry.ids[number]: float(shard.norms.sum_sq[number]) for number in numbers}
    mass = shard.popularity.mass[: len(shard.registry)]
    return {"norms": norms, "fences": shard.fences.as_dict(), "mass": mass.tolist()}


@pytest.mark.parametrize("method", ["put_packed", "put_items", "commit"])
async def test_what_comes_in_meanwhile_is_for_the_next_checkpoint(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """The position that is stored is that at which it began, and nothing is lost with the owner."""
    owner = await desk.owner()
    for item in "abc":
        desk.shop.say(item, "shoes")
        desk.shop.act(item)
    for number in range(SHARDS):
        shard = owner.shards[number]
        desk.shop.read(shard)
        began_at = shard.position
        async with held(monkeypatch, owner, number, method):
            for item in "cdefgh":
                desk.shop.act(item)
                desk.shop.say(item, "hats")
            desk.shop.read(shard)
        assert owner.checkpoints[number].position == began_at < shard.position

    for _ in range(2):
        reborn = await desk.owner()
        for number in range(SHARDS):
            desk.shop.read(reborn.shards[number])
            desk.shop.read(owner.shards[number])
            assert said(reborn.shards[number]) == said(owner.shards[number])
        await desk.drained(reborn)
        await desk.right()


async def test_rows_are_read_and_positions_compared_before_the_fence_moves_or_behind_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In between, the stored position would look like one that another owner has moved."""
    owner = await desk.owner()
    desk.shop.act("a")
    number = next(one.number for one in owner.shards if desk.shop.logs[one.number])
    checkpoint = owner.checkpoints[number]
    desk.shop.read(owner.shards[number])
    commit = MortalSlot.commit
    moved, go_on = asyncio.Event(), asyncio.Event()

    async def slow(self: MortalSlot, *arguments: Any) -> None:
        await commit(self, *arguments)
        moved.set()
        await go_on.wait()

    monkeypatch.setattr(MortalSlot, "commit", slow)
    storing = asyncio.create_task(owner.store(number))
    await asyncio.wait_for(moved.wait(), WITHIN_S)
    others = [
        asyncio.create_task(checkpoint.verify()),
        asyncio.create_task(checkpoint.rows(np.zeros(1, np.int32))),
    ]
    desk.shop.act("a")
    await owner.slots[number].head()
    assert not any(one.done() for one in others)
    go_on.set()
    await asyncio.gather(storing, *others)
