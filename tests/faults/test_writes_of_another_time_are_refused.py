"""A late writer, at an older position or for another state, changes nothing in Redis."""

from collections.abc import AsyncIterator

import orjson
import pytest
from redis.asyncio import Redis

from streamapp.errors import PositionMovedError, StateError
from streamapp.store.lists import lists_of
from streamapp.store.slot.head import Head, HistoriesHead
from streamapp.store.slot.keys import SlotKeys
from streamapp.store.slot.slot import Slot
from tests.servers.node import RedisNode


@pytest.fixture
async def redis(node: RedisNode) -> AsyncIterator[Redis]:
    """A client of the test's own server."""
    async with Redis.from_url(node.url) as client:
        yield client


@pytest.fixture
async def slot(redis: Redis) -> Slot:
    """A slot at position 10 that holds a blob of position 20."""
    made = Slot(redis, SlotKeys("s:", "u0"), "g")
    await made.create(10)
    await made.blobs.put(20, [("a", b"new")])
    return made


async def test_an_older_blob_does_not_replace_a_newer_one(slot: Slot) -> None:
    """Values that a woken worker writes for an earlier position are left out and counted."""
    assert await slot.blobs.put(15, [("a", b"old"), ("b", b"mine")]) == 1
    assert await slot.blobs.read(["a", "b"]) == [(20, b"new"), (15, b"mine")]


async def test_a_position_moves_only_from_where_the_writer_left_it(slot: Slot) -> None:
    """The same move twice is one move, so a lost reply is harmless; another move is refused."""
    for _ in range(2):
        await slot.commit(10, HistoriesHead(20, {"t/0": 5}, applied=3))
    with pytest.raises(PositionMovedError):
        await slot.commit(10, Head(30))
    with pytest.raises(PositionMovedError):
        await slot.blobs.read_at(10, ["a"])
    head = await slot.head(HistoriesHead)
    assert head is not None
    assert (head.position, head.applied_offsets, head.applied) == (20, {"t/0": 5}, 3)


async def test_items_that_a_dead_worker_put_are_there_once(redis: Redis, slot: Slot) -> None:
    """It died before its position moved; the next owner may cut the same log elsewhere."""
    ids = [f"i{number}" for number in range(3_000)]
    await slot.item_ids.put_ids(20, 0, ids[:2_500])
    taken_over = Slot(redis, slot.keys, slot.state_id)
    await taken_over.head(Head)
    await taken_over.item_ids.put_ids(30, 0, ids[:1_700])
    with pytest.raises(PositionMovedError):
        await slot.item_ids.put_ids(20, 2_500, ids[2_500:])
    with pytest.raises(StateError, match="another length"):
        await taken_over.commit(10, Head(30), 1_700)
    await taken_over.item_ids.put_ids(40, 1_700, ids[1_700:])
    await taken_over.commit(10, Head(40), 3_000)
    assert (await slot.item_ids.registry()).ids == ids


async def test_items_of_another_log_are_refused(slot: Slot) -> None:
    """Another program wrote there, or the keys of two states are mixed up."""
    await slot.item_ids.put_ids(20, 0, ["a", "b"])
    with pytest.raises(StateError, match="holds other items than the log"):
        await slot.item_ids.put_ids(20, 1, ["c"])
    await slot.head(Head)
    with pytest.raises(StateError, match="shorter than the stored position says"):
        await slot.item_ids.put_ids(20, 3, ["c"])
    assert (await slot.item_ids.registry()).ids == ["a", "b"]


async def test_a_worker_of_a_state_that_was_rebuilt_writes_nothing(
    redis: Redis, slot: Slot
) -> None:
    """The same keys and positions, another state id: neither blobs nor the position change."""
    stranger = Slot(redis, slot.keys, "another")
    await stranger.head(Head)
    with pytest.raises(PositionMovedError):
        await stranger.blobs.put(30, [("a", b"theirs")])
    await stranger.head(Head)
    with pytest.raises(PositionMovedError):
        await stranger.item_ids.put_ids(30, 0, ["theirs"])
    await stranger.head(Head)
    with pytest.raises(PositionMovedError):
        await stranger.commit(10, Head(30))
    assert await slot.blobs.read(["a"]) == [(20, b"new")]
    assert not len(await slot.item_ids.registry())
    await slot.check(10)


async def test_a_position_does_not_move_where_what_was_put_for_it_is_lost(
    node: RedisNode, slot: Slot
) -> None:
    """A replica takes over at the same position, but it never got the blobs behind it."""
    with RedisNode(keeps_data=True) as replica:
        replica.kill()
        replica.primary_port = node.port
        replica.start()
        replica.await_link()
        replica.promote()
        await slot.blobs.put(30, [("a", b"newer")])
        async with Redis.from_url(replica.url) as promoted:
            slot.redis = promoted
            with pytest.raises(PositionMovedError):
                await slot.commit(10, Head(30))
            with pytest.raises(PositionMovedError):
                await slot.blobs.put(30, [("b", b"more")])
            head = await slot.head(Head)
            assert head is not None
            assert head.position == 10
            await slot.commit(10, Head(20))


async def test_an_older_list_does_not_replace_a_newer_one(redis: Redis) -> None:
    """It does not come back if the newer version is a tombstone."""
    lists = lists_of(redis, "l:", "s:", cluster=False)
    old, new = (orjson.dumps({"seq": seq}) for seq in (7, 8))
    assert await lists.replace("item", [("a", new), ("gone", b"")], 8) == [new, b""]
    assert await lists.replace("item", [("a", old), ("gone", old)], 7) == [None, None]
    assert await lists.get("item", "a") == new
    assert await lists.get("item", "gone") is None
