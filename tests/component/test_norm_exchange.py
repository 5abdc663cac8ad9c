"""Workers exchange norms through feeds in Redis."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from redis.asyncio import Redis

from streamapp.agents.norms.exchange import NormExchange
from streamapp.agents.norms.sharing import NormSharing, norms_at
from streamapp.agents.polling.shard_heads import ShardHeads
from streamapp.agents.scheduling.due_time import NEVER
from streamapp.config.settings import Settings
from streamapp.core.ids.registry import shard_of
from streamapp.core.messages.norm_values import NormValues
from streamapp.errors import PositionMovedError
from streamapp.pipelines import main_pipeline
from streamapp.store.slot.head import ShardHead
from streamapp.store.slot.keys import SlotKeys, rows_tag
from streamapp.store.slot.slot import Slot
from streamapp.store.values.norm_feed import FeedMark

SHARDS = 2
ITEMS = [name for name in map(str, range(400)) if shard_of(name, SHARDS) == 0]


class Owner:
    """The owner of shard 0, which shares norms as checkpoints do."""

    def __init__(self, exchange: NormExchange, slot: Slot) -> None:
        self.exchange, self.slot = exchange, slot
        self.position = 0

    async def open(self) -> "Owner":
        """Take the shard over."""
        head = await self.slot.head(ShardHead)
        if head is None:
            await self.slot.create(0)
            head = ShardHead()
        self.position = head.position
        await self.exchange.open(0, SHARDS, "g")
        self.exchange.connect(0, lambda: None)
        self.sharing = NormSharing(self.exchange, self.slot, 0, FeedMark.of(head))
        return self

    async def share(self, sums: dict[str, float], *, dies: bool = False) -> None:
        """Share norms with the next position; an owner that dies does not move it."""
        ids = list(sums)
        some = np.array(list(sums.values()))
        values = NormValues(some, np.ones(len(ids), np.int64), np.zeros(len(ids), np.int32))
        changed = norms_at(self.position + 1, ids, values)
        mark = await self.sharing.write(self.position + 1, changed)
        if dies:
            return
        head = ShardHead(
            self.position + 1,
            norm_feed=mark.text,
            norm_feed_bytes=mark.bytes,
            norms_shared=mark.shared_at,
        )
        await self.slot.commit(self.position, head)
        self.position += 1
        await self.sharing.committed(mark, changed)


class Workers:
    """Workers with one Redis."""

    def __init__(self, redis: Redis) -> None:
        settings = Settings(_env_file=None, state_prefix="s:", refresh_interval=0.001)
        self.redis = redis
        self.context: Any = SimpleNamespace(
            settings=settings,
            redis=redis,
            pipeline=main_pipeline(settings),
            heads=ShardHeads(redis),
        )

    def exchange(self) -> NormExchange:
        """Return the exchange of another worker."""
        return NormExchange(self.context)

    async def owner(self, exchange: NormExchange | None = None) -> Owner:
        """Return another owner of shard 0."""
        slot = Slot(self.redis, SlotKeys("s:", rows_tag(0)), "g")
        return await Owner(exchange or self.exchange(), slot).open()

    async def reader(self) -> NormExchange:
        """Return the exchange of a worker that owns shard 1."""
        await Slot(self.redis, SlotKeys("s:", rows_tag(1)), "g").create(0)
        exchange = self.exchange()
        await exchange.open(1, SHARDS, "g")
        exchange.connect(1, lambda: None)
        return exchange


@pytest.fixture
def workers(redis: Redis) -> Workers:
    """Workers that know nothing yet."""
    return Workers(redis)


async def known(exchange: NormExchange) -> dict[str, float]:
    """Return what a worker knows of shard 0 after it has read all feeds."""
    while await exchange.step() == NEVER:  # noqa: ASYNC110 - the step is asked itself
        await asyncio.sleep(0)
    shared = exchange.shared(0)
    return dict(zip(shared.ids, shared.values.sum_sq.tolist(), strict=True))


async def test_a_worker_learns_what_another_one_shares(workers: Workers) -> None:
    """From the beginning, and then from where it was."""
    owner, reader = await workers.owner(), await workers.reader()
    assert await known(reader) == {}
    await owner.share({ITEMS[0]: 1.0, ITEMS[1]: 2.0})
    assert await known(reader) == {ITEMS[0]: 1.0, ITEMS[1]: 2.0}
    await owner.share({ITEMS[1]: 3.0})
    assert await known(reader) == {ITEMS[0]: 1.0, ITEMS[1]: 3.0}
    assert (await known(await workers.reader())) == {ITEMS[0]: 1.0, ITEMS[1]: 3.0}
    assert reader.shared(0).positions.tolist() == [1, 2]


async def test_the_feed_of_a_shard_that_was_opened_in_vain_is_read(workers: Workers) -> None:
    """The shard moved on to another worker while this one opened it."""
    reader = await workers.reader()
    await reader.open(0, SHARDS, "g")
    owner = await workers.owner()
    await owner.share({ITEMS[0]: 1.0})
    assert await known(reader) == {ITEMS[0]: 1.0}


async def test_shards_of_one_worker_learn_at_once(workers: Workers) -> None:
    """Nothing is read for that."""
    exchange = workers.exchange()
    owner = await workers.owner(exchange)
    await owner.share({ITEMS[0]: 1.0})
    assert exchange.shared(0).ids == [ITEMS[0]]


async def test_what_an_owner_did_not_commit_is_seen_by_nobody(workers: Workers) -> None:
    """The next owner begins a feed of its own, with all that was shared before."""
    first, reader = await workers.owner(), await workers.reader()
    await first.share({ITEMS[0]: 1.0})
    await first.share({ITEMS[0]: 9.0, ITEMS[1]: 9.0}, dies=True)
    assert await known(reader) == {ITEMS[0]: 1.0}
    second = await workers.owner()
    await second.share({ITEMS[2]: 2.0})
    assert await known(reader) == {ITEMS[0]: 1.0, ITEMS[2]: 2.0}
    assert await known(await workers.reader()) == {ITEMS[0]: 1.0, ITEMS[2]: 2.0}


async def test_a_feed_does_not_grow_without_a_limit(workers: Workers, redis: Redis) -> None:
    """It is written again under its other name, and readers that are behind follow."""
    owner, reader = await workers.owner(), await workers.reader()
    rounds = 60
    for number in range(rounds):
        await owner.share(dict.fromkeys(ITEMS, float(number)))
        if number == 1:
            assert await known(reader) == dict.fromkeys(ITEMS, 1.0)
    assert await known(reader) == dict.fromkeys(ITEMS, rounds - 1.0)
    sizes = [await redis.strlen(key) for key in await redis.keys("*norms:*")]
    assert len(sizes) == 1
    assert sizes[0] < 1_024 + 3 * 60 * len(ITEMS)


async def test_a_feed_that_became_shorter_waits_for_its_owner(workers: Workers) -> None:
    """Redis went back in time; what was read before is still right."""
    owner, reader = await workers.owner(), await workers.reader()
    await owner.share({ITEMS[0]: 1.0})
    before = owner.sharing.mark
    await owner.share({ITEMS[0]: 2.0})
    assert await known(reader) == {ITEMS[0]: 2.0}
    head = await owner.slot.head(ShardHead)
    assert head is not None
    back = replace(head, norm_feed_bytes=before.bytes, norms_shared=before.shared_at)
    await owner.slot.commit(owner.position, back)
    assert await known(reader) == {ITEMS[0]: 2.0}
    owner = await workers.owner()
    await owner.share({ITEMS[1]: 5.0})
    assert await known(reader) == {ITEMS[0]: 2.0, ITEMS[1]: 5.0}


async def test_an_owner_of_another_state_writes_no_feed(workers: Workers) -> None:
    """A rebuild removes the slots of the state before."""
    owner = await workers.owner()
    owner.slot.state_id = "other"
    with pytest.raises(PositionMovedError):
        await owner.share({ITEMS[0]: 1.0})


async def test_a_shard_is_read_again_when_its_worker_gave_it_up(workers: Workers) -> None:
    """Another worker owns it from there on."""
    exchange = workers.exchange()
    owner = await workers.owner(exchange)
    await owner.share({ITEMS[0]: 1.0})
    exchange.release(0)
    other = await workers.owner()
    await other.share({ITEMS[0]: 4.0})
    assert await known(exchange) == {ITEMS[0]: 4.0}


async def test_the_owner_of_a_shard_is_called_when_feeds_have_been_read(workers: Workers) -> None:
    """Until then no step knows when the next one is due."""
    reader, called = await workers.reader(), asyncio.Event()
    reader.connect(1, called.set)
    assert await known(reader) == {}
    await asyncio.wait_for(called.wait(), 20.0)
    reader.release(1)
    called.clear()
    assert await known(reader) == {}
    assert not called.is_set()


async def test_norms_of_the_state_before_a_rebuild_are_forgotten(
    workers: Workers, redis: Redis
) -> None:
    """They belong to later positions of another log, and would replace those of now."""
    exchange = workers.exchange()
    owner = await workers.owner(exchange)
    await owner.share({ITEMS[0]: 9.0})
    received = exchange.received
    await redis.flushall()
    await Slot(redis, SlotKeys("s:", rows_tag(0)), "other").create(0)
    assert len((await exchange.open(0, SHARDS, "other")).registry) == 0
    assert exchange.received is not received
    assert (await exchange.open(0, SHARDS, "other")) is await exchange.open(1, SHARDS, "other")
