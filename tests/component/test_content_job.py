"""A pass over content neighbours: what is sent, and when the head says that nothing is missing.

Redis and its scripts are real; the broker is a fake that keeps what it gets.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from streamapp.agents.runtime.context import StageContext
from streamapp.agents.runtime.item_list_cache import ItemListCache
from streamapp.agents.shard import content_job
from streamapp.agents.shard.content_job import ContentJob
from streamapp.config.settings import Settings
from streamapp.core.events.catalogue_record import Product, encode_product
from streamapp.core.ids.registry import Registry, shard_of
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.content_neighbours import (
    ContentNeighbours,
    decode_content_neighbours,
    unpack_list,
)
from streamapp.core.shard.content_lists import ShardContentLists
from streamapp.errors import ClaimLostError, PositionMovedError
from streamapp.failpoints import Failpoints
from streamapp.pipelines import main_pipeline
from streamapp.store.input_versions import matched_text
from streamapp.store.lists import lists_of
from streamapp.store.slot.head import CatalogueHead, Head, ShardHead
from streamapp.store.slot.keys import SlotKeys, catalogue_tag, rows_tag
from streamapp.store.slot.slot import Slot
from streamapp.store.values.content import ContentLists

SHARDS = 2
DELTAS = "streamapp-deltas"
LIST = (
    '{{"v":1,"kind":"item","id":"{0}","seq":1,"as_of":0.0,"items":[{{"id":"x","score":1.0,{1}}}]}}'
)
BY_COUNTS, BY_TEXT = '"support":1', '"support":0,"reason":"content"'


def goods(title: str, category: str = "", *, available: bool = True) -> Product:
    """Return a product."""
    return Product(available, title, category)


class Shop:
    """Two shards and a catalogue of one partition; owners of the first shard come and go."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.taken: list[tuple[int, ContentNeighbours]] = []
        self.settings = Settings(
            _env_file=None,
            state_prefix="s:",
            list_prefix="l:",
            catalogue_topic="goods",
            content_neighbours=True,
            refresh_interval=1e-6,
        )
        self.position = [0] * SHARDS
        self.applied_offsets = [AppliedOffsets() for _ in range(SHARDS)]
        self.content = [ShardContentLists() for _ in range(SHARDS)]

    async def begin(self) -> None:
        """Make the slots."""
        await self.redis.hset("s:layout", mapping={":generation": "g", "goods": 1, DELTAS: SHARDS})
        for tag in (catalogue_tag(0), *map(rows_tag, range(SHARDS))):
            await self.slot(tag).create(0)

    def slot(self, tag: str) -> Slot:
        """Return a slot."""
        return Slot(self.redis, SlotKeys("s:", tag), "g")

    async def owner(self, name: str) -> ContentJob:
        """Return another owner, who has claimed the first shard."""
        lists = lists_of(self.redis, "l:", "s:", cluster=False)
        publisher: Any = self
        items = ItemListCache(lists)
        context = StageContext(
            self.settings,
            main_pipeline(self.settings),
            self.redis,
            lists,
            items,
            publisher,
            publisher,
            Failpoints(),
        )
        slot = self.slot(rows_tag(0))
        await slot.ownership.claim(name)
        return await ContentJob.open(context, slot, name, SHARDS)

    async def deliver(self, messages: Mapping[tuple[str, int], Sequence[Any]]) -> None:
        """Take messages, in place of the broker."""
        for (topic, shard), some in messages.items():
            assert topic == DELTAS
            self.taken += [(shard, decode_content_neighbours(one.value)) for one in some]

    async def say(self, **products: Product | None) -> None:
        """Change the catalogue."""
        slot = self.slot(catalogue_tag(0))
        head = await slot.head(Head)
        assert head is not None
        blobs = {item: encode_product(one) if one else b"" for item, one in products.items()}
        await slot.blobs.put(head.position + 1, blobs.items())
        await slot.commit(head.position, Head(head.position + 1))

    async def list_of(self, item: str, rest: str) -> None:
        """Store a list; its shard says that it has published one."""
        if rest:
            await self.redis.set(f"l:item:{item}", LIST.format(item, rest))
        else:
            await self.redis.delete(f"l:item:{item}")
        await self.redis.hincrby(self.slot(rows_tag(shard_of(item, SHARDS))).keys.head, "published")

    async def apply(self) -> None:
        """Let shards apply and store the messages."""
        taken, self.taken = self.taken, []
        for shard, matches in taken:
            assert matches.admit(self.applied_offsets[shard])
            self.content[shard].apply(matches, self.position[shard], Registry())
            self.position[shard] += 1
        for shard, slot in enumerate(map(self.slot, map(rows_tag, range(SHARDS)))):
            head = await slot.head(Head)
            assert head is not None
            fields = self.content[shard].packed_changes()
            await ContentLists(slot).put(self.position[shard], fields)
            await slot.commit(
                head.position, Head(self.position[shard], self.applied_offsets[shard].as_dict())
            )

    async def held(self) -> dict[str, list[str]]:
        """Return the content neighbours in shards: the items of each list."""
        found = [await ContentLists(self.slot(rows_tag(shard))).read() for shard in range(SHARDS)]
        return {
            item: [one.item for one in unpack_list(packed)]
            for content in found
            for item, packed in content.lists.items()
        }

    async def at_rest(self) -> bool:
        """Return whether the head says that nothing is missing now."""
        catalogue = [await self.slot(catalogue_tag(0)).head(CatalogueHead)]
        shards = [await self.slot(tag).head(ShardHead) for tag in ("i0", "i1")]
        assert shards[0] is not None
        return shards[0].content_version == matched_text(catalogue, shards)


async def passed(owner: ContentJob, times: int = 6) -> None:
    """Let an owner make some passes, one after the other, without a pause."""
    for _ in range(times):
        await owner.step(busy=False)
        await owner._passing.join()
    await owner.step(busy=True)


@pytest.fixture(autouse=True)
def _restless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_job, "_REST", 0)


@pytest.fixture
async def shop(redis: Redis) -> Shop:
    """A shop on a server that holds nothing else."""
    made = Shop(redis)
    await made.begin()
    return made


RED = goods("red tent")


async def test_what_shards_do_not_hold_is_sent_until_nothing_is_missing(shop: Shop) -> None:
    """Products with a list of counts get none, and neither does an unavailable product."""
    owner = await shop.owner("me")
    sold = goods("red tent", available=False)
    await shop.say(a=RED, b=goods("tent"), c=sold, d=goods("stove"))
    await shop.list_of("b", BY_COUNTS)
    await passed(owner)
    assert [matches.lists for _, matches in shop.taken] == [
        [("a", unpack_list(owner._nearest["a"]))]
    ]
    assert not await shop.at_rest()

    await shop.apply()
    await passed(owner)
    assert (shop.taken, await shop.held()) == ([], {"a": ["b"]})
    assert await shop.at_rest()


async def test_what_is_on_its_way_is_not_sent_again(shop: Shop) -> None:
    """The shard is slow: neither a change of the catalogue nor time causes a second message."""
    owner = await shop.owner("me")
    await shop.say(a=RED, b=RED)
    await passed(owner)
    await shop.say(e=goods("lantern"))
    await passed(owner)
    assert sorted(item for _, some in shop.taken for item, _ in some.lists) == ["a", "b"]
    assert not await shop.at_rest()


async def test_whoever_takes_over_sends_what_is_missing_whatever_was_sent(shop: Shop) -> None:
    """One owner died after it sent, one before it wrote the head; a stale owner gets an error."""
    await shop.say(a=RED, b=RED)
    first = await shop.owner("first")
    await passed(first)
    second = await shop.owner("second")
    await passed(second)
    (_, one), (_, two), *_ = sorted(shop.taken, key=lambda taken: taken[0])
    assert len(shop.taken) == 2 * len({shard_of(item, SHARDS) for item in "ab"})
    assert one.version < two.version

    await shop.apply()
    await shop.say(c=RED)
    with pytest.raises(ClaimLostError):
        await passed(first)
    assert shop.taken == []
    third = await shop.owner("third")
    await passed(third)
    await shop.apply()
    await passed(third)
    assert await shop.held() == {"a": ["b", "c"], "b": ["a", "c"], "c": ["a", "b"]}
    assert await shop.at_rest()


async def test_counts_take_content_back_and_content_takes_their_place(shop: Shop) -> None:
    """A list from content is no list from counts; when a list is gone, content takes its place."""
    owner = await shop.owner("me")
    await shop.say(a=RED, b=RED)
    for rest, expected in (
        (BY_COUNTS, {"b": ["a"]}),
        (BY_TEXT, {"a": ["b"], "b": ["a"]}),
        (BY_COUNTS, {"b": ["a"]}),
        ("", {"a": ["b"], "b": ["a"]}),
    ):
        await shop.list_of("a", rest)
        for _ in range(2):
            await passed(owner)
            await shop.apply()
        await passed(owner)
        assert await shop.held() == expected
        assert await shop.at_rest()


async def test_what_the_catalogue_forgets_or_hides_is_taken_back(shop: Shop) -> None:
    """Scores of the rest follow the known part of the catalogue."""
    owner = await shop.owner("me")
    await shop.say(a=RED, b=RED, c=goods("tent"))
    for products, expected in (
        ({}, {"a": ["b", "c"], "b": ["a", "c"], "c": ["a", "b"]}),
        ({"b": goods("red tent", available=False)}, {"a": ["c"], "c": ["a"]}),
        ({"b": None}, {"a": ["c"], "c": ["a"]}),
        ({"c": None}, {}),
    ):
        await shop.say(**products)
        for _ in range(2):
            await passed(owner)
            await shop.apply()
        await passed(owner)
        assert await shop.held() == expected
        assert await shop.at_rest()


async def test_while_deltas_wait_nothing_is_looked_at(shop: Shop) -> None:
    """They come first."""
    owner = await shop.owner("me")
    await shop.say(a=RED, b=RED)
    for _ in range(10):
        await owner.step(busy=True)
    assert (owner._passing.is_running, shop.taken) == (False, [])


async def test_fields_are_written_and_removed_and_know_how_far_they_are(shop: Shop) -> None:
    """The highest position stays; a write by another owner is noticed, and so is a rebuild."""
    slot, other = shop.slot("i0"), shop.slot("i0")
    await ContentLists(slot).put(7, [("a", b"1"), ("b", b"2")])
    await ContentLists(slot).put(5, [("a", b""), ("c", b"3")])
    assert await ContentLists(slot).read() == ShardContentLists({"b": b"2", "c": b"3"}, 7)
    with pytest.raises(PositionMovedError):
        await ContentLists(other).put(9, [("b", b"")])
    slot.state_id = "another"
    with pytest.raises(PositionMovedError):
        await ContentLists(slot).put(9, [("b", b"")])
    many = [(f"i{number}", b"x") for number in range(1_201)]
    await (again := shop.slot("i0")).head(Head)
    await ContentLists(again).put(8, many)
    assert len((await ContentLists(slot).read()).lists) == 1_203
