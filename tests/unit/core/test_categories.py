"""Trending items of categories, while items come, move, go and come back."""

import numpy as np

from streamapp.core.counts.norms_and_rows import NormsAndRows
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.ranking import ListRule
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.catalogue_update import (
    CatalogueUpdate,
    VisibilityChange,
    decode_update,
)
from streamapp.core.shard.shard import Shard
from streamapp.core.trending.categories import CATEGORY, Categories
from streamapp.core.trending.popularity import Popularity
from tests.support.trends import Shop


class Harness:
    """A shop of one shard, whose tops are read again and again."""

    def __init__(self, top_n: int = 2) -> None:
        self.shop = Shop(1)
        self.shard = Shard(
            0, 1, ListRule(top_n), "g", 0, Registry(), NormsAndRows.unpack(), AppliedOffsets(),
            Popularity(top_n),
        )  # fmt: skip

    def touched(self) -> dict[str, list[str]]:
        """Return the current tops of the categories with events."""
        self.shop.read(self.shard)
        shard = self.shard
        found = shard.categories.dirty_tops(shard.popularity, shard.registry, shard.visibility.mask)
        shard.categories.mark_stored()
        return {category: [one.item for one in popular] for category, _, popular in found}


def test_each_category_has_the_most_popular_of_its_items() -> None:
    """An item without a category is in none, and popularity elsewhere does not count."""
    harness = Harness()
    for item, category in {"a": "tents", "b": "tents", "c": "tents", "d": "lamps"}.items():
        harness.shop.say(item, category)
    for item in "abbcccddddeeeee":
        harness.shop.act(item)
    assert harness.touched() == {"tents": ["c", "b"], "lamps": ["d"]}
    harness.shop.act("a", 5.0)
    assert harness.touched() == {"tents": ["a", "c"]}
    assert harness.touched() == {}


def test_equal_popularity_is_ordered_by_id_also_where_the_list_ends() -> None:
    """In byte order, in any order of arrival."""
    harness = Harness()
    for item in "dbca":
        harness.shop.say(item, "tents")
        harness.shop.act(item)
    assert harness.touched() == {"tents": ["a", "b"]}


def test_an_item_that_moves_leaves_the_one_list_and_enters_the_other() -> None:
    """With all its popularity; the item behind it takes its rank."""
    harness = Harness()
    for item in "abc":
        harness.shop.say(item, "tents")
    for item in "aaabbc":
        harness.shop.act(item)
    assert harness.touched() == {"tents": ["a", "b"]}
    harness.shop.say("a", "lamps")
    assert harness.touched() == {"tents": ["b", "c"], "lamps": ["a"]}
    harness.shop.say("a")
    assert harness.touched() == {"lamps": []}


def test_an_item_that_is_hidden_makes_room_and_comes_back() -> None:
    """Events on it count meanwhile, and show nowhere."""
    harness = Harness()
    for item in "abc":
        harness.shop.say(item, "tents")
    for item in "aaabbc":
        harness.shop.act(item)
    harness.touched()
    harness.shop.say("b", "tents", hidden=True)
    assert harness.touched() == {"tents": ["a", "c"]}
    harness.shop.act("b", 5.0)
    assert harness.touched() == {}
    harness.shop.say("b", "tents")
    assert harness.touched() == {"tents": ["b", "a"]}


def test_what_is_hidden_may_move_and_is_shown_where_it_belongs_then() -> None:
    """Both at once, or one after the other."""
    harness = Harness()
    harness.shop.say("a", "tents")
    harness.shop.act("a")
    harness.touched()
    harness.shop.say("a", "lamps", hidden=True)
    assert harness.touched() == {"tents": [], "lamps": []}
    harness.shop.say("a", "lamps")
    assert harness.touched() == {"lamps": ["a"]}


def test_events_count_that_came_before_the_catalogue_knew_the_item() -> None:
    """The category is remembered of an item without any event."""
    harness = Harness()
    harness.shop.act("a")
    assert harness.touched() == {}
    harness.shop.say("a", "tents")
    harness.shop.say("b", "tents")
    assert harness.touched() == {"tents": ["a"]}
    harness.shop.act("b", 3.0)
    assert harness.touched() == {"tents": ["b", "a"]}


def test_an_item_that_is_deleted_leaves_its_category_and_the_last_one_empties_it() -> None:
    """When the catalogue has it again, it is where the catalogue says."""
    harness = Harness()
    harness.shop.say("a", "tents")
    harness.shop.act("a")
    harness.touched()
    harness.shop.delete("a")
    assert harness.touched() == {"tents": []}
    harness.shop.say("a", "lamps")
    assert harness.touched() == {"lamps": ["a"]}


def test_what_nobody_did_anything_with_touches_nothing() -> None:
    """A large catalogue that is read for the first time withdraws no lists that never existed."""
    harness = Harness()
    for item in "abc":
        harness.shop.say(item, "tents")
    harness.shop.say("a", "lamps", hidden=True)
    assert harness.touched() == {}
    assert harness.shard.categories.names.ids == ["", "tents", "lamps"]


def test_a_shard_remembers_its_own_items_alone_and_numbers_no_others() -> None:
    """Two shards share a catalogue."""
    shop = Shop(2)
    made = [
        Shard(number, 2, ListRule(2), "g", 0, Registry(), NormsAndRows.unpack(), AppliedOffsets())
        for number in range(2)
    ]
    for number in range(20):
        shop.say(f"i{number}", "tents")
    for shard in made:
        shop.read(shard)
        assert shard.owned[: len(shard.registry)].all()
    ids = [set(shard.registry.ids) for shard in made]
    assert ids[0] | ids[1] == {f"i{number}" for number in range(20)}
    assert not ids[0] & ids[1]


def test_a_shard_without_categories_keeps_nothing_for_them() -> None:
    """A state without a catalogue has no cost."""
    harness = Harness()
    for item in "abc":
        harness.shop.act(item)
    harness.shop.say("a", hidden=True)
    assert harness.touched() == {}
    categories = harness.shard.categories
    assert not categories.known
    assert not len(categories.category)
    assert not len(categories.position)


def test_a_notice_of_before_there_were_categories_is_understood() -> None:
    """It names none."""
    notice = CatalogueUpdate("g", 3, [VisibilityChange(7, "a", hidden=True)])
    assert decode_update(b"\x93\xa1g\x03\x91\x93\x07\xa1a\xc3") == notice


def test_whoever_takes_over_waits_for_categories_that_were_stored_further() -> None:
    """Otherwise no list of one position would be the same."""
    stored = Categories(np.array([(7, 1)], CATEGORY).tobytes(), {"tents": 1})
    shard = Shard(0, 1, ListRule(1), "g", 6, Registry("a"), NormsAndRows.unpack(), AppliedOffsets(),
                  categories=stored)  # fmt: skip
    assert shard.is_replaying
    assert stored.unstored() == []
    shard.position = 7
    assert not shard.is_replaying
