"""Trending items of a category are a function of the logs, after a death between any two writes."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from streamapp.core.counts.norms_and_rows import NormsAndRows
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.ranking import ListRule
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.shard.shard import Shard
from streamapp.core.shard.visibility import VISIBILITY, Visibility
from streamapp.core.trending.categories import CATEGORY, Categories, CategoryTop
from streamapp.core.trending.popularity import POPULARITY, Popular, Popularity, most_popular
from tests.support.trends import Shop

ITEMS = [f"i{number}" for number in range(4)]
CATEGORIES = ["", "tents", "lamps"]
TYPES = {"popularity": POPULARITY, "visibility": VISIBILITY, "categories": CATEGORY}

items = st.sampled_from(ITEMS)
happenings = st.one_of(
    st.tuples(st.just("act"), items, st.sampled_from([1.0, 3.0, 0.25]), st.integers(0, 30)),
    st.tuples(st.just("say"), items, st.sampled_from(CATEGORIES), st.booleans()),
    # The number of messages that are read, and the number of checkpoint writes that succeed.
    st.tuples(st.just("store"), st.integers(0, 1), st.integers(0, 3), st.integers(0, 5)),
    st.tuples(st.just("store"), st.integers(0, 1), st.integers(0, 9), st.just(99)),
    st.tuples(st.just("merge")),
)


class Slot:
    """The slot of one shard: the checkpoint writes that succeeded."""

    def __init__(self) -> None:
        self.position = 0
        self.ids: list[str] = []
        self.applied_offsets: dict[str, int] = {}
        self.tops: dict[str, tuple[int, CategoryTop]] = {}
        self.touched: dict[str, int] = {}
        self.records: dict[str, dict[int, bytes]] = {name: {} for name in TYPES}

    def load(self, number: int, shards: int, top_n: int) -> Shard:
        """Return the shard as the next owner finds it."""
        packed = {}
        for name, dtype in TYPES.items():
            array = np.zeros(max(self.records[name], default=-1) + 1, dtype)
            for place, record in self.records[name].items():
                array[place] = np.frombuffer(record, dtype)[0]
            packed[name] = array.tobytes()
        registry = Registry(self.ids)
        hidden = Visibility(packed["visibility"])
        hidden.reserve(len(registry))
        return Shard(
            number, shards, ListRule(top_n), "g", self.position, registry, NormsAndRows.unpack(),
            AppliedOffsets(self.applied_offsets),
            Popularity.unpack(packed["popularity"], top_n, registry, hidden.mask),
            hidden,
            Categories(
                packed["categories"], {name: top.number for name, (_, top) in self.tops.items()}
            ),
        )  # fmt: skip

    def writes(self, shard: Shard) -> Iterator[Callable[[], None]]:
        """Yield every write of a checkpoint, in order."""
        at, categories = shard.position, shard.categories
        tops = categories.dirty_tops(shard.popularity, shard.registry, shard.visibility.mask)
        for some, touched in ((categories.unstored(), False), (tops, True)):
            for top in some:
                yield lambda top=top, touched=touched: self._put_top(at, top, touched)  # type: ignore[misc]
        categories.mark_stored()
        for name in TYPES:
            for number, record in getattr(shard, name).packed_changes(at):
                yield lambda args=(name, number, record): self._put(at, *args)  # type: ignore[misc]
        yield lambda: self._commit(shard)

    def _put_top(self, at: int, top: CategoryTop, touched: bool) -> None:
        if top.category in self.tops and self.tops[top.category][0] > at:
            return
        self.tops[top.category] = at, top
        if touched:
            self.touched[top.category] = at

    def _put(self, at: int, name: str, number: int, record: bytes) -> None:
        old = self.records[name].get(number, bytes(8))
        if int.from_bytes(old[:8], "big") <= at:
            self.records[name][number] = record

    def _commit(self, shard: Shard) -> None:
        self.position, self.ids = shard.position, list(shard.registry.ids)
        self.applied_offsets = shard.applied_offsets.as_dict()


class Lists:
    """The lists of categories, which the owner of the first shard makes."""

    def __init__(self, slots: list[Slot], top_n: int) -> None:
        self.slots, self.top_n = slots, top_n
        self.since = [0] * len(slots)
        self.lists: dict[str, list[Popular]] = {}

    def merge(self) -> None:
        """Make the lists of categories with events again."""
        positions = [slot.position for slot in self.slots]
        for slot, since in zip(self.slots, self.since, strict=True):
            for category in [name for name, at in slot.touched.items() if at > since]:
                parts = [one.tops[category][1].popular for one in self.slots
                         if category in one.tops]  # fmt: skip
                self.lists[category] = most_popular(
                    (popular for part in parts for popular in part), self.top_n
                )
        self.since = positions


@given(st.lists(happenings, max_size=60), st.integers(1, 2), st.integers(1, 3))
@example(
    [
        ("say", "i0", "tents", False),
        ("store", 0, 6, 99),
        ("act", "i0", 1.0, 0),
        ("store", 0, 1, 1),
        ("merge",),
        ("say", "i0", "lamps", False),
    ],
    1,
    2,
)
def test_lists_are_those_of_the_truth_whatever_came_through_when_a_worker_died(
    steps: list[Any], shards: int, top_n: int
) -> None:
    """Items come, move and go, workers die between any two writes, and others take over."""
    shop, slots = Shop(shards), [Slot() for _ in range(shards)]
    owners = [slot.load(number, shards, top_n) for number, slot in enumerate(slots)]
    lists = Lists(slots, top_n)
    for kind, *some in steps:
        if kind == "act":
            shop.act(*some)
        elif kind == "say":
            item, category, hidden = some
            shop.say(item, category, hidden=hidden)
        elif kind == "merge":
            lists.merge()
        else:
            number, messages, writes = some[0] % shards, some[1], some[2]
            shop.read(owners[number], owners[number].position + messages)
            every = list(slots[number].writes(owners[number]))
            for write in every[:writes]:
                write()
            if writes < len(every):
                owners[number] = slots[number].load(number, shards, top_n)
    for number, slot in enumerate(slots):
        shop.read(owners[number])
        for write in slot.writes(owners[number]):
            write()
    lists.merge()
    found = {name: shop.shown(popular) for name, popular in lists.lists.items() if popular}
    assert found == shop.trends(top_n)
