"""A shop with categories, the owners of its shards, and a broker that keeps what it gets."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import orjson
from redis.asyncio import Redis

from streamapp.agents.norms.exchange import NormExchange
from streamapp.agents.norms.sharing import NormSharing
from streamapp.agents.polling.shard_heads import ShardHeads
from streamapp.agents.shard.checkpoint import Checkpoint
from streamapp.agents.shard.pending_lists import PendingLists
from streamapp.agents.shard.shard_reader import read_shard
from streamapp.agents.trending.trending_job import TrendingJob
from streamapp.config.settings import Settings
from streamapp.core.shard.shard import Shard
from streamapp.failpoints import Failpoints
from streamapp.pipelines import main_pipeline
from streamapp.store.lists import lists_of
from streamapp.store.slot.head import ShardHead
from streamapp.store.slot.keys import SlotKeys, rows_tag
from streamapp.store.slot.slot import Slot
from streamapp.store.values.norm_feed import FeedMark
from tests.support.trends import HALF_LIFE_S, Shop

SHARDS = 2
TOP_N = 2
WITHIN_S = 20.0
ITEMS = "abcdefgh"


class Broker:
    """In place of the producer: keeps the last value of each key."""

    def __init__(self) -> None:
        self.last: dict[str, bytes] = {}
        self.taken: list[str] = []

    async def partitions(self, _: str) -> int:
        """Return how many there are."""
        return 1

    async def deliver(self, messages: Mapping[tuple[str, int], Sequence[Any]]) -> None:
        """Take messages."""
        for one in (one for some in messages.values() for one in some):
            name = one.key.decode()
            self.taken.append(name)
            self.last.pop(name, None)
            if one.value is not None:
                self.last[name] = one.value


class MortalSlot(Slot):
    """A slot whose owner dies before one of its writes; `writes` is how many succeed."""

    writes = 1_000_000

    async def write(self, *arguments: Any) -> int:
        """Write, or die."""
        self.writes -= 1
        if self.writes < 0:
            raise RuntimeError("the owner is dead")
        return await super().write(*arguments)


class Owner:
    """The owner of all shards: their checkpoints, and the trending lists."""

    trending: TrendingJob

    def __init__(
        self, redis: Redis, broker: Broker, failpoint: str = "", tolerance: float = 0.0
    ) -> None:
        self.settings = Settings(
            _env_file=None, state_prefix="s:", list_prefix="l:", catalogue_topic="goods",
            trending_half_life=HALF_LIFE_S, top_n=TOP_N, publish_interval=0.001,
            list_tolerance=tolerance,
        )  # fmt: skip
        context: Any = SimpleNamespace(
            settings=self.settings,
            redis=redis,
            lists=lists_of(redis, "l:", "s:", cluster=False),
            producer=broker,
            list_delivery=broker,
            failpoints=Failpoints(failpoint),
            pipeline=main_pipeline(self.settings),
            heads=ShardHeads(redis),
        )
        self.context = context
        keys = [SlotKeys("s:", rows_tag(shard)) for shard in range(SHARDS)]
        self.exchange = NormExchange(context)
        self.slots = [MortalSlot(redis, one, "g") for one in keys]
        self.shards: list[Shard] = []
        self.checkpoints: list[Checkpoint] = []

    async def open(self, *, lists_suspect: bool = False) -> "Owner":
        """Read everything, and claim the first shard."""
        heads = []
        for number, slot in enumerate(self.slots):
            await slot.create(0)
            head = await slot.head(ShardHead)
            assert head is not None
            heads.append(head)
            shard = await read_shard(self.context, slot, head, number, SHARDS)
            self.shards.append(shard)
            await self.exchange.open(number, SHARDS, "g")
            sharing = NormSharing(self.exchange, slot, number, FeedMark.of(head))
            self.checkpoints.append(
                Checkpoint(self.context, slot, head, len(shard.registry), sharing)
            )
        await self.slots[0].ownership.claim("me")
        self.trending = await TrendingJob.open(
            self.context, self.slots[0], "me", SHARDS, heads[0], lists_suspect=lists_suspect
        )
        return self

    async def store(self, number: int) -> None:
        """Store a shard."""
        checkpoint, shard = self.checkpoints[number], self.shards[number]
        if taken := checkpoint.take(shard, PendingLists(), ShardHead()):
            await checkpoint.write(shard, taken)


class Harness:
    """A shop, and the lists that its readers find.

    Attributes:
        tolerance: Of the lists of the next owners.
    """

    tolerance = 0.0

    def __init__(self, redis: Redis) -> None:
        self.redis, self.broker, self.shop = redis, Broker(), Shop(SHARDS)
        self.lists = lists_of(redis, "l:", "s:", cluster=False)

    async def owner(self, failpoint: str = "", *, lists_suspect: bool = False) -> Owner:
        """Return another owner."""
        made = Owner(self.redis, self.broker, failpoint, self.tolerance)
        return await made.open(lists_suspect=lists_suspect)

    async def drained(self, owner: Owner) -> None:
        """Let an owner do all pending work."""
        for number in range(SHARDS):
            self.shop.read(owner.shards[number])
            await owner.store(number)
        await owner.trending.finish()

    async def merged(self, owner: Owner) -> None:
        """Let an owner work until its lists include everything that shards have stored."""
        expected = ",".join(str(one.position) for one in owner.checkpoints).encode()
        deadline = time.monotonic() + WITHIN_S
        while await self.redis.hget("s:{i0}:head", "merged") != expected:
            assert time.monotonic() < deadline
            await owner.trending.step()
            await asyncio.sleep(0)

    async def stored_lists(self) -> dict[str, bytes]:
        """Return all lists in Redis by their names on the topic."""
        names = [key.decode()[2:] async for key in self.redis.scan_iter("l:*")]
        categories = [name.partition(":")[2] for name in names]
        values = await self.lists.get_many("trending", categories)
        return dict(zip(names, values, strict=True))

    async def shown(self) -> dict[str, list[str]]:
        """Return the items of the list of each category."""
        return {
            name.removeprefix("trending:"): [one["id"] for one in orjson.loads(content)["items"]]
            for name, content in (await self.stored_lists()).items()
            if name != "trending"
        }

    async def right(self) -> None:
        """Check every list against the truth, and the topic against the keys."""
        stored_lists = await self.stored_lists()
        assert self.broker.last == stored_lists
        stored_lists.pop("trending", None)
        truth = self.shop.trends(TOP_N)
        assert set(stored_lists) == {f"trending:{category}" for category in truth}
        newest = max((act.ts for act in self.shop.acts), default=0.0)
        for category, expected in truth.items():
            value = orjson.loads(stored_lists[f"trending:{category}"])
            assert (value["v"], value["kind"], value["id"]) == (1, "trending", category)
            behind = {
                act.ts for act in self.shop.acts
                if act.item not in self.shop.hidden
                and self.shop.category_of.get(act.item) == category
            }  # fmt: skip
            assert value["as_of"] <= newest
            faded = 2 ** ((value["as_of"] - newest) / HALF_LIFE_S)
            found = [(one["id"], one["score"] * faded) for one in value["items"]]
            if not self.tolerance:
                assert max(behind) <= value["as_of"]
                assert found == expected
            assert [item for item, _ in found] == [item for item, _ in expected]
            for (_, score), (_, true) in zip(found, expected, strict=True):
                assert abs(true - score) <= self.tolerance * score
