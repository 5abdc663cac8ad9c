"""What trends in categories, while items come, move, go and come back."""

import numpy as np

from streamapp.core.counts.item_counts import ItemCounts
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.ranking import Rule
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


class Desk:
    """A shop of one shard, whose tops are asked for again and again."""

    def __init__(self, top_n: int = 2) -> None:
        self.shop = Shop(1)
        self.shard = Shard(
            0, 1, Rule(top_n), "g", 0, Registry(), ItemCounts.unpack(), AppliedOffsets(),
            Popularity(top_n),
        )  # fmt: skip

    def touched(self) -> dict[str, list[str]]:
        """Return what is popular by now in the categories in which something happened."""
        self.shop.read(self.shard)
        shard = self.shard
        found = shard.categories.dirty_tops(shard.popularity, shard.registry, shard.visibility.mask)
        shard.categories.mark_stored()
        return {category: [one.item for one in popular] for category, _, popular in found}


def test_each_category_has_the_most_popular_of_its_items() -> None:
    """An item without a category is in none, and what is popular elsewhere does not count."""
    desk = Desk()
    for item, category in {"a": "tents", "b": "tents", "c": "tents", "d": "lamps"}.items():
        desk.shop.say(item, category)
    for item in "abbcccddddeeeee":
        desk.shop.act(item)
    assert desk.touched() == {"tents": ["c", "b"], "lamps": ["d"]}
    desk.shop.act("a", 5.0)
    assert desk.touched() == {"tents": ["a", "c"]}
    assert desk.touched() == {}


def test_equal_popularity_is_ordered_by_id_also_where_the_list_ends() -> None:
    """In byte order, whoever came first."""
    desk = Desk()
    for item in "dbca":
        desk.shop.say(item, "tents")
        desk.shop.act(item)
    assert desk.touched() == {"tents": ["a", "b"]}


def test_an_item_that_moves_leaves_the_one_list_and_enters_the_other() -> None:
    """With all that it was popular by; what was behind it takes its place."""
    desk = Desk()
    for item in "abc":
        desk.shop.say(item, "tents")
    for item in "aaabbc":
        desk.shop.act(item)
    assert desk.touched() == {"tents": ["a", "b"]}
    desk.shop.say("a", "lamps")
    assert desk.touched() == {"tents": ["b", "c"], "lamps": ["a"]}
    desk.shop.say("a")
    assert desk.touched() == {"lamps": []}


def test_an_item_that_is_hidden_makes_room_and_comes_back() -> None:
    """What is done with it meanwhile counts, and shows nowhere."""
    desk = Desk()
    for item in "abc":
        desk.shop.say(item, "tents")
    for item in "aaabbc":
        desk.shop.act(item)
    desk.touched()
    desk.shop.say("b", "tents", hidden=True)
    assert desk.touched() == {"tents": ["a", "c"]}
    desk.shop.act("b", 5.0)
    assert desk.touched() == {}
    desk.shop.say("b", "tents")
    assert desk.touched() == {"tents": ["b", "a"]}


def test_what_is_hidden_may_move_and_is_shown_where_it_belongs_then() -> None:
    """Both at once, or one after the other."""
    desk = Desk()
    desk.shop.say("a", "tents")
    desk.shop.act("a")
    desk.touched()
    desk.shop.say("a", "lamps", hidden=True)
    assert desk.touched() == {"tents": [], "lamps": []}
    desk.shop.say("a", "lamps")
    assert desk.touched() == {"lamps": ["a"]}


def test_events_count_that_came_before_the_catalogue_knew_the_item() -> None:
    """And the category is remembered of an item that nobody has looked at yet."""
    desk = Desk()
    desk.shop.act("a")
    assert desk.touched() == {}
    desk.shop.say("a", "tents")
    desk.shop.say("b", "tents")
    assert desk.touched() == {"tents": ["a"]}
    desk.shop.act("b", 3.0)
    assert desk.touched() == {"tents": ["b", "a"]}


def test_an_item_that_is_deleted_leaves_its_category_and_the_last_one_empties_it() -> None:
    """When the catalogue has it again, it is where the catalogue says."""
    desk = Desk()
    desk.shop.say("a", "tents")
    desk.shop.act("a")
    desk.touched()
    desk.shop.delete("a")
    assert desk.touched() == {"tents": []}
    desk.shop.say("a", "lamps")
    assert desk.touched() == {"lamps": ["a"]}


def test_what_nobody_did_anything_with_touches_nothing() -> None:
    """A large catalogue that is read for the first time withdraws no lists that never were."""
    desk = Desk()
    for item in "abc":
        desk.shop.say(item, "tents")
    desk.shop.say("a", "lamps", hidden=True)
    assert desk.touched() == {}
    assert desk.shard.categories.names.ids == ["", "tents", "lamps"]


def test_a_shard_remembers_its_own_items_alone_and_numbers_no_others() -> None:
    """Two shards share a catalogue."""
    shop = Shop(2)
    made = [
        Shard(number, 2, Rule(2), "g", 0, Registry(), ItemCounts.unpack(), AppliedOffsets())
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
    """Whoever has no catalogue pays for none."""
    desk = Desk()
    for item in "abc":
        desk.shop.act(item)
    desk.shop.say("a", hidden=True)
    assert desk.touched() == {}
    categories = desk.shard.categories
    assert not categories.known
    assert not len(categories.category)
    assert not len(categories.position)


def test_a_notice_of_before_there_were_categories_is_understood() -> None:
    """It names none."""
    notice = CatalogueUpdate("g", 3, [VisibilityChange(7, "a", hidden=True)])
    assert decode_update(b"\x93\xa1g\x03\x91\x93\x07\xa1a\xc3") == notice


def test_whoever_takes_over_waits_for_categories_that_were_stored_further() -> None:
    """No list of one position would be the same otherwise."""
    stored = Categories(np.array([(7, 1)], CATEGORY).tobytes(), {"tents": 1})
    shard = Shard(0, 1, Rule(1), "g", 6, Registry("a"), ItemCounts.unpack(), AppliedOffsets(),
                  categories=stored)  # fmt: skip
    assert shard.is_replaying
    assert stored.unstored() == []
    shard.position = 7
    assert not shard.is_replaying
