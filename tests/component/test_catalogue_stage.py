"""The stage of a catalogue partition: shards receive what the records say, whatever dies.

Redis and its scripts are real; the broker is a fake that keeps what it gets.
"""

from collections.abc import Sequence
from contextlib import suppress
from random import Random
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from streamapp.agents.catalogue.stage import CatalogueStage
from streamapp.agents.runtime.context import StageContext
from streamapp.config.settings import Settings
from streamapp.core.counts.norms_and_rows import NormsAndRows
from streamapp.core.events.catalogue_record import Product, decode_product
from streamapp.core.events.projection import PROJECTIONS
from streamapp.core.ids.registry import Registry
from streamapp.core.list_kinds import BOUGHT_AFTER_VIEW, BOUGHT_TOGETHER
from streamapp.core.lists.ranking import ListRule
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.catalogue_update import decode_update
from streamapp.core.shard.shard import Shard
from streamapp.errors import PositionMovedError, StateError
from streamapp.failpoints import CATALOGUE_NAMES, Failpoints
from streamapp.pipelines import main_pipeline
from streamapp.store.slot.keys import SlotKeys
from streamapp.store.slot.slot import Slot
from streamapp.transport.records import TP, Offsets, RecordBatch
from tests.component.harness.stages import Broker

GOODS = TP("goods", 0)
DELTAS = "streamapp-deltas"
SHARDS = 2
ITEMS = "abcd"

Said = tuple[str, Product | None]


class Harness:
    """One catalogue partition; owners of it come and go."""

    def __init__(self, redis: Redis) -> None:
        self.redis, self.broker = redis, Broker()

    async def begin(self) -> None:
        """Write the layout of the state."""
        for kind in ("", *PROJECTIONS):
            prefix, deltas = "s:layout", DELTAS
            if kind:
                prefix, deltas = f"s:{kind}:layout", f"{DELTAS}-{kind.replace('_', '-')}"
            layout = {":generation": "g", "goods": 1, deltas: SHARDS}
            await self.redis.hset(prefix, mapping=layout)  # type: ignore[arg-type]

    async def owner(self, failpoint: str = "", kinds: Sequence[str] = ()) -> CatalogueStage:
        """Return another owner, who has opened the partition."""
        settings = Settings(_env_file=None, state_prefix="s:", catalogue_topic="goods")
        settings = settings.model_copy(update=dict.fromkeys(kinds, True))
        context: Any = StageContext(
            settings,
            main_pipeline(settings),
            self.redis,
            SimpleNamespace(),  # type: ignore[arg-type]
            SimpleNamespace(),  # type: ignore[arg-type]
            self.broker,  # type: ignore[arg-type]
            self.broker,  # type: ignore[arg-type]
            Failpoints(failpoint),
        )
        return await CatalogueStage.open(
            context, {GOODS: Offsets(0, 1_000, None)}, lists_suspect=False
        )

    def heard(self, shard: int, deltas: str = DELTAS) -> dict[str, bool]:
        """Return a shard's view after its notices: whether each item is hidden."""
        made = self.shard(shard, deltas)
        hidden = made.visibility.hidden.tolist()
        return dict(zip(made.registry.ids, hidden, strict=False))

    def shard(self, shard: int, deltas: str = DELTAS) -> Shard:
        """Return a shard that has applied its updates."""
        made = Shard(
            shard, SHARDS, ListRule(3), "g", 0, Registry(), NormsAndRows.unpack(), AppliedOffsets()
        )
        for offset, one in enumerate(self.broker.taken.get((deltas, shard), [])):
            made.apply_update(decode_update(one.value), offset)
        return made

    def categories(self, deltas: str = DELTAS) -> dict[str, str]:
        """Return the category of each item that its shard knows to be in one."""
        found: dict[str, str] = {}
        for number in range(SHARDS):
            made = self.shard(number, deltas)
            names = made.categories.names.ids
            numbers = made.categories.category.tolist()
            ids = zip(made.registry.ids, numbers, strict=False)
            found |= {item: names[place] for item, place in ids if place}
        return found

    async def known(self) -> dict[str, Product]:
        """Return the stored products."""
        blobs = await Slot(self.redis, SlotKeys("s:", "c0")).blobs.read(list(ITEMS))
        return {
            item: decode_product(blob[1])
            for item, blob in zip(ITEMS, blobs, strict=True)
            if blob and blob[1]
        }


@pytest.fixture
async def harness(redis: Redis) -> Harness:
    """A partition that no owner has opened yet."""
    made = Harness(redis)
    await made.begin()
    return made


def batch(said: Sequence[Said], start: int, end: int) -> RecordBatch:
    """Return the records from one offset to another."""
    records = []
    for offset in range(start, end):
        item, product = said[offset]
        value = {"item_id": item, "available": product.available} if product else None
        if value and product and product.category:
            value["category"] = product.category
        records.append(
            SimpleNamespace(
                offset=offset,
                key=item.encode(),
                value=orjson.dumps(value) if value else None,
                timestamp=0,
                headers=(),
            )
        )
    return RecordBatch(GOODS, records, 0)


def hides(item: str) -> Said:
    """Return a record by which an item is not available."""
    return item, Product(available=False, title="", category="")


def shows(item: str) -> Said:
    """Return a record by which an item is available."""
    return item, Product(available=True, title="", category="")


def belongs(item: str, category: str) -> Said:
    """Return a record by which an item is available, and in a category."""
    return item, Product(available=True, title="", category=category)


async def test_what_was_sent_by_an_owner_who_died_is_taken_back_in_the_log(
    harness: Harness,
) -> None:
    """The next one reads further at once: two records that cancel out are two changes."""
    said = [shows("a"), hides("a"), shows("a")]
    first = await harness.owner("catalogue.notices-sent:2:raise")
    await first.apply([batch(said, 0, 1)])
    with pytest.raises(RuntimeError, match="notices-sent"):
        await first.apply([batch(said, 1, 2)])
    assert harness.heard(0) == {"a": True}

    second = await harness.owner()
    await second.apply([batch(said, 1, 3)])
    assert harness.heard(0) == harness.heard(1) == {"a": False}


async def test_what_stays_the_same_is_not_sent(harness: Harness) -> None:
    """Only an unknown item may have been deleted, so shards always receive it."""
    said = [hides("a"), hides("a"), shows("b"), shows("b"), ("a", None)]
    owner = await harness.owner()
    for offset in range(len(said)):
        await owner.apply([batch(said, offset, offset + 1)])
    changes = [decode_update(sent.value).changes for sent in harness.broker.taken[DELTAS, 1]]
    assert [[(one.item, one.hidden) for one in some] for some in changes] == [
        [("a", True)],
        [("b", False)],
    ]
    assert await harness.known() == dict([shows("b")])


async def test_a_category_that_changes_is_sent_to_those_who_count_what_is_popular(
    harness: Harness,
) -> None:
    """A deleted item has none; shards of other kinds receive none at all."""
    owner = await harness.owner(kinds=(BOUGHT_TOGETHER, BOUGHT_AFTER_VIEW))
    said = [belongs("a", "tents"), belongs("a", "tents"), belongs("a", "lamps"), shows("a")]
    said += [belongs("b", "tents"), belongs("b", "lamps"), belongs("c", "pots"), ("c", None)]
    for offset in range(len(said)):
        await owner.apply([batch(said, offset, offset + 1)])
    assert harness.categories() == {"b": "lamps"}
    offsets = [
        one.offset
        for sent in harness.broker.taken[DELTAS, 0]
        for one in decode_update(sent.value).changes
    ]
    assert offsets == [0, 2, 3, 4, 5, 6, 7]
    for kind in PROJECTIONS:
        assert harness.categories(f"{DELTAS}-{kind.replace('_', '-')}") == {}


async def test_a_catalogue_that_was_read_without_categories_is_refused(harness: Harness) -> None:
    """Shards would not know the category of an item without a new record."""
    owner = await harness.owner()
    await owner.apply([batch([belongs("a", "tents")], 0, 1)])
    await harness.owner()
    await harness.redis.hdel("s:{c0}:head", "categories_told")
    with pytest.raises(StateError, match=r"goods\[0\]: .* no categories; .*`streamapp rebuild`"):
        await harness.owner()


async def test_shards_of_every_kind_hear_of_the_items_that_their_lists_show(
    harness: Harness,
) -> None:
    """A bought item has another name than a viewed item."""
    owner = await harness.owner(kinds=(BOUGHT_TOGETHER, BOUGHT_AFTER_VIEW))
    await owner.apply([batch([hides("a"), hides("b")], 0, 2)])
    for shard in range(SHARDS):
        assert harness.heard(shard) == {"a": True, "b": True}
        assert harness.heard(shard, f"{DELTAS}-bought-together") == {"a": True, "b": True}
        assert harness.heard(shard, f"{DELTAS}-bought-after-view") == {"b:a": True, "b:b": True}


async def test_a_product_that_another_program_wrote_stops_the_worker_in_one_line(
    harness: Harness,
) -> None:
    """It names the key."""
    owner = await harness.owner()
    await harness.redis.set("s:{c0}:b:a", bytes(8) + b"a product")
    with pytest.raises(StateError, match=r"no product under s:\{c0\}:b:a: .*rebuild"):
        await owner.apply([batch([hides("a")], 0, 1)])


@pytest.mark.parametrize("seed", range(25))
async def test_owners_die_anywhere_and_late_copies_change_nothing(
    harness: Harness, seed: int
) -> None:
    """Shards hide the items of the last records, and the products are those of the last records."""
    chance = Random(seed)  # noqa: S311 - a story, not a secret
    said = [
        chance.choice((hides, shows, _tent, _lamp, lambda item: (item, None)))(chance.choice(ITEMS))
        for _ in range(40)
    ]
    owner, late = await harness.owner(), await harness.owner()
    while (at := owner.position(GOODS)) < len(said):
        end = chance.randint(at + 1, min(at + 12, len(said)))
        try:
            await owner.apply([batch(said, at, end)])
        except RuntimeError:
            late = owner
        if (at := late.position(GOODS)) < len(said) and chance.random() < 0.3:
            with suppress(PositionMovedError):
                await late.apply([batch(said, at, at + 1)])
        for shard in range(SHARDS):
            if (log := harness.broker.taken.get((DELTAS, shard))) and chance.random() < 0.3:
                log.append(chance.choice(log))
        place = chance.choice(CATALOGUE_NAMES)
        owner = await harness.owner(f"{place}:1:raise" if chance.random() < 0.5 else "")
    last = dict(said)
    expected = {item: product for item, product in last.items() if product is not None}
    hidden = {item for item, one in last.items() if one is None or not one.available}
    for shard in range(SHARDS):
        assert {item for item, now in harness.heard(shard).items() if now} == hidden
    assert await harness.known() == expected
    assert harness.categories() == {
        item: one.category for item, one in expected.items() if one.category
    }


def _tent(item: str) -> Said:
    return belongs(item, "tents")


def _lamp(item: str) -> Said:
    return item, Product(available=False, title="", category="lamps")
