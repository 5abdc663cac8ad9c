"""A checkpoint is written while deltas are applied: its content, and the work for the next one.

Redis is real, and so are checkpoints; one of them is held before a write, as if Redis were slow.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from streamapp.agents.shard import checkpoint
from streamapp.agents.shard.pending_lists import PendingLists
from streamapp.core.counts.rows import CELL
from streamapp.core.lists.ranking import ListRule
from streamapp.core.messages.delta import JOINT_KEY, decode_deltas
from streamapp.core.shard.shard import Shard
from streamapp.store.slot.blobs import SlotBlobs
from streamapp.store.slot.columns import SlotColumns
from streamapp.store.slot.head import Head, ShardHead
from streamapp.store.slot.item_ids import SlotItemIds
from tests.component.harness.shards import (
    ITEMS,
    SHARDS,
    TOP_N,
    WITHIN_S,
    Harness,
    MortalSlot,
    Owner,
)
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline

_HOLDERS = {
    "put": SlotBlobs,
    "put_records": SlotColumns,
    "put_ids": SlotItemIds,
    "commit": MortalSlot,
}
"""The class that has a method."""


@asynccontextmanager
async def held(
    monkeypatch: pytest.MonkeyPatch, owner: Owner, number: int, method: str
) -> AsyncIterator[None]:
    """Store a shard; its slot waits before its first call of `method` until the block ends."""
    reached, go_on = asyncio.Event(), asyncio.Event()
    holder = _HOLDERS[method]
    call = getattr(holder, method)

    async def slow(self: Any, *arguments: Any) -> Any:
        if not reached.is_set():
            reached.set()
            await go_on.wait()
        return await call(self, *arguments)

    writer, shard = owner.checkpoints[number], owner.shards[number]
    taken = writer.take(shard, PendingLists(), ShardHead())
    assert taken is not None
    with monkeypatch.context() as patch:
        patch.setattr(holder, method, slow)
        writing = asyncio.create_task(writer.write(shard, taken))
        await asyncio.wait_for(reached.wait(), WITHIN_S)
        yield
        go_on.set()
        await writing


def said(shard: Shard) -> dict[str, Any]:
    """Return the counts of a shard, by item; it has no rows here that are not in memory."""
    numbers = np.flatnonzero(shard.norms.users)
    norms = {shard.registry.ids[number]: float(shard.norms.sum_sq[number]) for number in numbers}
    mass = shard.popularity.mass[: len(shard.registry)]
    return {
        "norms": norms,
        "applied_offsets": shard.applied_offsets.as_dict(),
        "mass": mass.tolist(),
    }


@pytest.mark.parametrize("method", ["put_records", "put_ids", "commit"])
async def test_what_comes_in_meanwhile_is_for_the_next_checkpoint(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """The stored position is that of its beginning, and a lost owner loses nothing."""
    owner = await harness.owner()
    for item in "abc":
        harness.shop.say(item, "shoes")
        harness.shop.act(item)
    for number in range(SHARDS):
        shard = owner.shards[number]
        harness.shop.read(shard)
        began_at = shard.position
        async with held(monkeypatch, owner, number, method):
            for item in "cdefgh":
                harness.shop.act(item)
                harness.shop.say(item, "hats")
            harness.shop.read(shard)
        assert owner.checkpoints[number].position == began_at < shard.position

    for _ in range(2):
        reborn = await harness.owner()
        for number in range(SHARDS):
            harness.shop.read(reborn.shards[number])
            harness.shop.read(owner.shards[number])
            assert said(reborn.shards[number]) == said(owner.shards[number])
        await harness.drained(reborn)
        await harness.right()


async def test_a_row_says_for_which_position_it_is_complete(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is packed before more deltas are applied, the others behind them."""
    monkeypatch.setattr(checkpoint, "_ROWS_AT_ONCE", 1)
    acts = [Act(f"u{n % 5}", ITEMS[(n // 5 + n) % len(ITEMS)], 1.0, 1e9 + n) for n in range(40)]
    pipeline = Pipeline(SHARDS, 3, ListRule(TOP_N))
    pipeline.take(acts[:25])
    first = [list(log) for log in pipeline.log]
    pipeline.take(acts[25:])
    owner = await harness.owner()
    for number, shard in enumerate(owner.shards):
        await read(owner, number, first[number])
        async with held(monkeypatch, owner, number, "put"):
            await read(owner, number, pipeline.log[number])
        stored = owner.checkpoints[number].position
        rows = await owner.checkpoints[number].rows(
            np.flatnonzero(shard.rows.size).astype(np.int32)
        )
        assert {row[0] for row in rows if row} == {stored, shard.position} == {1, 2}

    reborn = await harness.owner()
    for number in range(SHARDS):
        await read(reborn, number, pipeline.log[number])
        assert cells(reborn.shards[number]) == cells(owner.shards[number])


async def read(owner: Owner, number: int, log: Sequence[Any]) -> None:
    """Let a shard apply its log beyond its position."""
    shard, admitted = owner.shards[number], []
    for offset, message in enumerate(log[shard.position :], shard.position):
        (delta,) = decode_deltas(JOINT_KEY, message)
        if blocks := shard.admit(delta):
            admitted.append((offset, blocks))
    absent = np.flatnonzero(shard.owned & ~shard.rows.present).astype(np.int32)
    shard.load(absent, await owner.checkpoints[number].rows(absent))
    for offset, blocks in admitted:
        shard.apply(blocks, offset)
    shard.position = len(log)


def cells(shard: Shard) -> dict[tuple[str, str], tuple[int, float]]:
    """Return support and dot of every pair in the rows of a shard."""
    ids, found = shard.registry.ids, {}
    for row in np.flatnonzero(shard.rows.size).tolist():
        for cell in np.frombuffer(shard.rows.pack(row), CELL):
            found[ids[row], ids[cell["item"]]] = int(cell["support"]), float(cell["dot"])
    return found


async def test_rows_are_read_before_the_position_moves_or_after(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In between, the stored position would look as if another owner had moved it."""
    owner = await harness.owner()
    harness.shop.act("a")
    number = next(one.number for one in owner.shards if harness.shop.logs[one.number])
    writer = owner.checkpoints[number]
    harness.shop.read(owner.shards[number])
    commit = MortalSlot.commit
    moved, go_on = asyncio.Event(), asyncio.Event()

    async def slow(self: MortalSlot, *arguments: Any) -> None:
        await commit(self, *arguments)
        moved.set()
        await go_on.wait()

    monkeypatch.setattr(MortalSlot, "commit", slow)
    storing = asyncio.create_task(owner.store(number))
    await asyncio.wait_for(moved.wait(), WITHIN_S)
    reading = asyncio.create_task(writer.rows(np.zeros(1, np.int32)))
    harness.shop.act("a")
    await owner.slots[number].head(Head)
    assert not reading.done()
    go_on.set()
    await asyncio.gather(storing, reading)
