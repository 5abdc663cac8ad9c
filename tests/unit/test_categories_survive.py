"""Lists of categories: whatever dies, they are those of the truth, in Redis and on the topic.

Redis is real, and so are checkpoints and what merges them; in place of the broker stands one that
keeps what it gets.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from random import Random
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from streamapp.agents.checkpoint import Checkpoint, Pending
from streamapp.agents.trending import Trending
from streamapp.core.categories import Top
from streamapp.core.listing import ITEM
from streamapp.core.popularity import Popular
from streamapp.core.shard import Shard
from streamapp.errors import FenceMovedError, StateError
from streamapp.failpoints import Failpoints
from streamapp.settings import Settings
from streamapp.store.keys import SlotKeys, rows_tag
from streamapp.store.lists import lists_of
from streamapp.store.slot import Slot
from streamapp.store.tops import Tops, known_categories, put_tops
from tests.servers.node import RedisNode
from tests.trends import HALF_LIFE_S, START, Shop

SHARDS = 2
TOP_N = 2
WITHIN_S = 20.0
ITEMS = "abcdefgh"
CATEGORIES = ("", "tents", "lamps", "pots/pans")
PLACES = (
    "neighbours.tops-put",
    "neighbours.rows-put",
    "neighbours.position-moved",
    "trending.replaced",
    "trending.sent",
)


class Broker:
    """In place of the publisher: keeps the last value of each key."""

    def __init__(self) -> None:
        self.last: dict[str, bytes] = {}
        self.taken: list[str] = []

    async def partitions(self, _: str) -> int:
        """Return how many there are."""
        return 1

    async def deliver(self, messages: Mapping[tuple[str, int], Sequence[Any]]) -> None:
        """Take what comes."""
        for one in (one for some in messages.values() for one in some):
            name = one.key.decode()
            self.taken.append(name)
            self.last.pop(name, None)
            if one.value is not None:
                self.last[name] = one.value


class MortalSlot(Slot):
    """A slot whose owner dies before one of its writes; `writes` is how many come through."""

    writes = 1_000_000

    async def put_by(self, *arguments: Any) -> int:
        """Write, or die."""
        self.writes -= 1
        if self.writes < 0:
            raise RuntimeError("the owner is dead")
        return await super().put_by(*arguments)


class Owner:
    """Whoever owns all shards: their checkpoints, and the lists of what is trending."""

    def __init__(self, redis: Redis, broker: Broker, failpoint: str = "") -> None:
        self.settings = Settings(
            _env_file=None, state_prefix="s:", list_prefix="l:", catalogue_topic="goods",
            trending_half_life=HALF_LIFE_S, top_n=TOP_N, publish_interval=0.001,
        )  # fmt: skip
        outside: Any = SimpleNamespace(
            settings=self.settings,
            redis=redis,
            lists=lists_of(redis, "l:", "s:", cluster=False),
            publisher=broker,
            failpoints=Failpoints(failpoint),
            kind=ITEM,
        )
        self.outside = outside
        keys = [SlotKeys("s:", rows_tag(shard)) for shard in range(SHARDS)]
        self.slots = [MortalSlot(redis, one, "g") for one in keys]
        self.trending = Trending(self.outside, self.slots[0])
        self.shards: list[Shard] = []
        self.checkpoints: list[Checkpoint] = []

    async def open(self, *, lost: bool = False) -> "Owner":
        """Read everything, and claim the first shard."""
        heads = []
        for number, slot in enumerate(self.slots):
            await slot.create(0, {})
            head = await slot.head()
            assert head is not None
            heads.append(head)
            checkpoint = Checkpoint(self.outside, slot, head)
            self.checkpoints.append(checkpoint)
            self.shards.append(await checkpoint.load(number, SHARDS, self.outside))
        await self.slots[0].claim("me")
        await self.trending.open("me", SHARDS, heads[0], lost=lost)
        return self

    async def store(self, number: int) -> None:
        """Store a shard."""
        await self.checkpoints[number].write(self.shards[number], Pending(), {})


class Desk:
    """A shop, and what stands for its readers."""

    def __init__(self, redis: Redis) -> None:
        self.redis, self.broker, self.shop = redis, Broker(), Shop(SHARDS)
        self.lists = lists_of(redis, "l:", "s:", cluster=False)

    async def owner(self, failpoint: str = "", *, lost: bool = False) -> Owner:
        """Return another owner."""
        return await Owner(self.redis, self.broker, failpoint).open(lost=lost)

    async def drained(self, owner: Owner) -> None:
        """Let an owner do all there is to do."""
        for number in range(SHARDS):
            self.shop.read(owner.shards[number])
            await owner.store(number)
        await owner.trending.finish()

    async def merged(self, owner: Owner) -> None:
        """Let an owner work until its lists are of all that shards have stored."""
        expected = ",".join(str(one.position) for one in owner.checkpoints).encode()
        deadline = time.monotonic() + WITHIN_S
        while await self.redis.hget("s:{i0}:head", "merged") != expected:
            assert time.monotonic() < deadline
            await owner.trending.step()
            await asyncio.sleep(0)

    async def standing(self) -> dict[str, bytes]:
        """Return all lists in Redis by their names on the topic."""
        names = [key.decode()[2:] async for key in self.redis.scan_iter("l:*")]
        categories = [name.partition(":")[2] for name in names]
        values = await self.lists.standing("trending", categories)
        return dict(zip(names, values, strict=True))

    async def shown(self) -> dict[str, list[str]]:
        """Return the items of the list of each category."""
        return {
            name.removeprefix("trending:"): [one["id"] for one in orjson.loads(content)["items"]]
            for name, content in (await self.standing()).items()
            if name != "trending"
        }

    async def right(self) -> None:
        """Check every list against the truth, and the topic against the keys."""
        standing = await self.standing()
        assert self.broker.last == standing
        standing.pop("trending", None)
        truth = self.shop.trends(TOP_N)
        assert set(standing) == {f"trending:{category}" for category in truth}
        newest = max((act.ts for act in self.shop.acts), default=0.0)
        for category, expected in truth.items():
            value = orjson.loads(standing[f"trending:{category}"])
            assert (value["v"], value["kind"], value["id"]) == (1, "trending", category)
            behind = {
                act.ts for act in self.shop.acts
                if act.item not in self.shop.hidden
                and self.shop.category_of.get(act.item) == category
            }  # fmt: skip
            assert max(behind) <= value["as_of"] <= newest
            faded = 2 ** ((value["as_of"] - newest) / HALF_LIFE_S)
            found = [(one["id"], one["score"] * faded) for one in value["items"]]
            assert found == expected


@pytest.fixture(scope="module")
def node() -> Iterator[RedisNode]:
    """A Redis of this file alone."""
    with RedisNode() as made:
        yield made


@pytest.fixture
async def desk(node: RedisNode) -> AsyncIterator[Desk]:
    """A shop in which nothing has happened yet."""
    async with Redis.from_url(node.url) as client:
        await client.flushall()
        yield Desk(client)


@pytest.mark.parametrize("seed", range(30))
async def test_owners_die_anywhere_and_sleepers_wake_up(desk: Desk, seed: int) -> None:
    """Between any two writes; what they had begun to do is done again, or stands already."""
    chance = Random(seed)  # noqa: S311 - a story, not a secret
    owner, sleeper = await desk.owner(), await desk.owner()
    for _ in range(80):
        item = chance.choice(ITEMS)
        if chance.random() < 0.5:
            desk.shop.act(item, chance.choice((1.0, 3.0)), chance.randrange(20))
        else:
            desk.shop.say(item, chance.choice(CATEGORIES), hidden=chance.random() < 0.3)
        if chance.random() < 0.1:
            sleeper = owner
        who = sleeper if chance.random() < 0.1 else owner
        number = chance.randrange(SHARDS)
        try:
            if chance.random() < 0.4:
                end = who.shards[number].position + chance.randint(1, 9)
                desk.shop.read(who.shards[number], end)
                await who.store(number)
            if chance.random() < 0.4:
                await who.trending.step()
        except (RuntimeError, FenceMovedError):
            with suppress(RuntimeError):
                await who.trending.settle()
            owner = await desk.owner(f"{chance.choice(PLACES)}:{chance.randint(1, 3)}:raise")
            owner.slots[chance.randrange(SHARDS)].writes = chance.randint(0, 12)
    await desk.drained(await desk.owner())
    await desk.right()


@pytest.mark.parametrize("writes", range(8))
async def test_a_death_before_any_write_leaves_the_category_that_an_item_has_left_right(
    desk: Desk, writes: int
) -> None:
    """Of an item that is stored in its new category nobody knows the old one."""
    for item in "ab":
        desk.shop.say(item, "tents")
        desk.shop.act(item)
    await desk.drained(await desk.owner())
    assert await desk.shown() == {"tents": ["a", "b"]}
    desk.shop.say("a", "lamps")
    first = await desk.owner("neighbours.rows-put:1:raise")
    for number, slot in enumerate(first.slots):
        slot.writes = writes
        desk.shop.read(first.shards[number])
        with suppress(RuntimeError):
            await first.store(number)
    await desk.drained(await desk.owner())
    assert await desk.shown() == {"tents": ["b"], "lamps": ["a"]}


async def test_a_large_catalogue_withdraws_no_lists_that_never_were(desk: Desk) -> None:
    """Its categories get their numbers, and nothing has happened there."""
    for item in ITEMS:
        desk.shop.say(item, "tents")
    desk.shop.act("z")
    await desk.drained(await desk.owner())
    assert set(desk.broker.taken) == {"trending"}
    desk.shop.act("a")
    await desk.drained(await desk.owner())
    await desk.right()


async def test_a_top_is_not_replaced_by_one_of_before_nor_by_one_of_another_state(
    desk: Desk,
) -> None:
    """As blobs are not."""
    slot = (await desk.owner()).slots[0]
    tops = Tops(desk.redis, slot.keys)
    newer, older = ([Popular(item, 0.5, 1)] for item in "ab")
    await put_tops(slot, 7, [Top("tents", 1, newer)], touched=True)
    await put_tops(slot, 6, [Top("tents", 1, older), Top("lamps", 2, older)], touched=True)
    assert await tops.read(["tents", "lamps", "pots"]) == [newer, older, []]
    assert await tops.touched_since(5) == ["lamps", "tents"]
    assert await tops.touched_since(6) == ["tents"]
    await put_tops(slot, 7, [Top("tents", 1, older)], touched=False)
    assert await tops.read(["tents"]) == [older]
    slot.generation = "another"
    with pytest.raises(FenceMovedError):
        await put_tops(slot, 8, [Top("tents", 1, newer)], touched=True)
    sleeper = Slot(desk.redis, slot.keys, "g")
    with pytest.raises(FenceMovedError):
        await put_tops(sleeper, 8, [Top("tents", 1, newer)], touched=True)
    assert await tops.read(["tents"]) == [older]


async def test_what_was_on_its_way_is_found_by_the_next_owner_and_nothing_else(
    desk: Desk,
) -> None:
    """Lists of categories in which nothing happened are neither read nor sent again."""
    for item, category in {"a": "tents", "b": "lamps"}.items():
        desk.shop.say(item, category)
        desk.shop.act(item)
    await desk.drained(await desk.owner())
    desk.shop.act("a")
    first = await desk.owner("trending.replaced:1:raise")
    with pytest.raises(RuntimeError, match=r"trending\.replaced"):
        await desk.drained(first)
    desk.broker.taken.clear()
    await desk.drained(await desk.owner())
    assert sorted(desk.broker.taken) == ["trending", "trending:tents"]
    await desk.right()


async def test_lists_that_may_be_lost_are_all_published_again(desk: Desk) -> None:
    """Redis went back in time, or another one answers."""
    for item, category in {"a": "tents", "b": "lamps"}.items():
        desk.shop.say(item, category)
        desk.shop.act(item)
    await desk.drained(await desk.owner())
    await desk.redis.delete("l:trending", "l:trending:tents", "l:trending:lamps")
    await desk.drained(await desk.owner())
    assert await desk.shown() == {}
    await desk.drained(await desk.owner(lost=True))
    await desk.right()


async def test_a_shard_that_is_behind_what_was_merged_is_asked_for_all_it_has(desk: Desk) -> None:
    """As where the node of a cluster that it lies on was restored alone."""
    desk.shop.say("a", "tents")
    desk.shop.act("a")
    await desk.drained(await desk.owner())
    await desk.redis.hset("s:{i0}:head", "merged", "999,999")
    desk.broker.taken.clear()
    await desk.drained(await desk.owner())
    assert "trending:tents" in desk.broker.taken


async def test_a_list_that_the_state_went_back_behind_is_withdrawn_from_the_topic(
    desk: Desk,
) -> None:
    """What is read again knows that something happened there, and not what was published."""
    desk.shop.say("a", "tents")
    desk.shop.act("a")
    await desk.drained(await desk.owner())
    desk.shop.delete("a")
    await desk.redis.flushall()
    await desk.drained(await desk.owner(lost=True))
    assert "trending:tents" not in desk.broker.last


async def test_many_lists_go_out_in_parts_and_count_as_merged_with_the_last(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever dies in between leaves all of the round to the next."""
    monkeypatch.setattr("streamapp.agents.trending._AT_ONCE", 2)
    for item in ITEMS:
        desk.shop.say(item, f"of {item}")
        desk.shop.act(item)
    first = await desk.owner("trending.sent:2:raise")
    with pytest.raises(RuntimeError, match=r"trending\.sent"):
        await desk.drained(first)
    assert await desk.redis.hget("s:{i0}:head", "merged") is None
    await desk.drained(await desk.owner())
    await desk.right()
    assert len(await desk.shown()) == len(ITEMS)


async def test_what_happens_while_lists_go_out_in_parts_is_in_the_next_round(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a category whose list is out already."""
    monkeypatch.setattr("streamapp.agents.trending._AT_ONCE", 3)
    for item in ITEMS:
        desk.shop.say(item, f"of {item}")
        desk.shop.act(item)
    owner = await desk.owner()
    for number in range(SHARDS):
        desk.shop.read(owner.shards[number])
        await owner.store(number)
    await owner.trending.step()
    desk.shop.say("b", "of a")
    for number in range(SHARDS):
        desk.shop.read(owner.shards[number])
        await owner.store(number)
    await desk.merged(owner)
    await desk.right()


async def test_other_entries_are_found_when_all_lists_are_to_be_made_again(desk: Desk) -> None:
    """As where lists get another length: what lies behind the old end is not in the tops."""
    desk.shop.say("a", "tents")
    desk.shop.act("a")
    owner = await desk.owner()
    await desk.drained(owner)
    desk.broker.taken.clear()
    for shard in owner.shards:
        shard.categories.touch_all(len(shard.registry))
    desk.shop.say("zzz", hidden=True)
    await desk.drained(owner)
    assert "trending:tents" in desk.broker.taken


async def test_a_category_that_is_lost_stops_the_worker_in_one_line(desk: Desk) -> None:
    """Items name it by a number."""
    for item in "ab":
        desk.shop.say(item, f"of {item}")
    await desk.drained(await desk.owner())
    assert await known_categories(desk.redis, Settings(_env_file=None, state_prefix="s:"), 2) == {
        "of a", "of b"
    }  # fmt: skip
    for shard in range(SHARDS):
        numbers = await Tops(desk.redis, SlotKeys("s:", rows_tag(shard))).numbers()
        if numbers:
            (name, *_) = sorted(numbers, key=numbers.__getitem__)
            await desk.redis.hdel(f"s:{{i{shard}}}:tops", name)
            await desk.redis.hset(f"s:{{i{shard}}}:tops", "other", bytes(8) + b"\7\0\0\0\x90")
    with pytest.raises(StateError, match=r"lacks a category, .*rebuild"):
        await desk.owner()


async def test_the_time_of_a_list_is_that_of_the_newest_event_when_it_was_made(
    desk: Desk,
) -> None:
    """An event in another category makes no other list anew."""
    for item, category in {"a": "tents", "b": "lamps"}.items():
        desk.shop.say(item, category)
    desk.shop.act("a", 1.0, 3)
    owner = await desk.owner()
    await desk.drained(owner)
    before = (await desk.standing())["trending:tents"]
    assert orjson.loads(before)["as_of"] == START + 3 * HALF_LIFE_S
    desk.shop.act("b", 1.0, 5)
    await desk.drained(owner)
    standing = await desk.standing()
    assert standing["trending:tents"] == before
    assert orjson.loads(standing["trending:lamps"])["as_of"] == START + 5 * HALF_LIFE_S
    desk.shop.act("a", 1.0, 4)
    await desk.drained(owner)
    value = orjson.loads((await desk.standing())["trending:tents"])
    assert (value["as_of"], value["items"]) == (
        START + 5 * HALF_LIFE_S, [{"id": "a", "score": 0.25 + 0.5}]
    )  # fmt: skip
