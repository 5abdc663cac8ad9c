"""Baskets: how purchases are read into them, and the pipeline that they get."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest

from loadtest.replay import encode
from streamapp.agents.neighbours import Neighbours
from streamapp.agents.outside import Outside
from streamapp.core.event import EventReader
from streamapp.core.listing import BOUGHT_TOGETHER, ITEM
from streamapp.errors import ConfigError
from streamapp.eventlog import LoggedEvent
from streamapp.failpoints import Failpoints
from streamapp.kinds import followers, pipelines
from streamapp.settings import Settings
from streamapp.store.layout import check_kinds
from streamapp.transport.topics import needed_topics

READER = EventReader(Settings(_env_file=None).event_rules, "clicks")
OFF = Settings(_env_file=None)
ON = Settings(_env_file=None, bought_together=True)


@dataclass
class Record:
    """A record of user ann."""

    value: bytes | None
    offset: int = 3
    timestamp: int = 1_700_000_000_000
    key: bytes | None = b"ann"


@dataclass
class Sink:
    """Remembers who did what."""

    taken: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, offset: int, user: str, item: str, kind: str, ts: float) -> None:
        """Take an interaction."""
        assert (offset, ts) == (3, 1_700_000_000.0)
        self.taken.append((user, item, kind))

    def skip(self, offset: int, user: str, kind: str) -> None:
        """Take an event of unknown type."""


def read(*events: Mapping[str, object], on: bool = True) -> tuple[Sink, Sink, list[str]]:
    """Return what was taken, what went into baskets, and the codes of what was refused."""
    value = orjson.dumps([{"user_id": "ann", "item_id": "tent", **event} for event in events])
    sink, baskets = Sink(), Sink()
    refused = READER.read([Record(value)], 1_800_000_000.0, sink, baskets if on else None)
    return sink, baskets, [refusal.code for refusal in refused]


def test_a_purchase_goes_into_the_basket_of_its_order_and_else_of_its_user() -> None:
    """By whatever name a purchase goes; an integer is taken as its decimal string."""
    _, baskets, _ = read(
        {"type": "purchase", "order_id": "7"},
        {"type": "buy", "order_id": 7},
        {"type": "order"},
        {"type": "purchase", "order_id": None},
        {"type": "purchase", "order_id": ""},
    )
    assert [basket for basket, _, _ in baskets.taken] == ["o:7"] * 2 + ["u:ann"] * 3
    assert {tuple(rest) for _, *rest in baskets.taken} == {("tent", "purchase")}


def test_an_order_never_shares_the_basket_of_a_user() -> None:
    """Not even one that is called like the user, or like the user's basket."""
    _, baskets, _ = read(
        {"type": "purchase"},
        {"type": "purchase", "order_id": "ann"},
        {"type": "purchase", "order_id": "u:ann"},
    )
    assert len({basket for basket, _, _ in baskets.taken}) == 3


def test_nothing_but_a_purchase_goes_into_a_basket_and_everything_still_counts() -> None:
    """Clicks may name an order too; what they name is not looked at."""
    sink, baskets, refused = read(
        {"type": "click", "order_id": "7"},
        {"type": "add_to_cart", "order_id": []},
        {"type": "scroll", "order_id": "7"},
        {"type": "purchase", "order_id": "7"},
    )
    assert [kind for _, _, kind in sink.taken] == ["click", "add_to_cart", "purchase"]
    assert {user for user, _, _ in sink.taken} == {"ann"}
    assert len(baskets.taken) == 1
    assert not refused


@pytest.mark.parametrize(
    ("order", "code"),
    [(1.5, "invalid_id"), ([], "invalid_id"), (False, "invalid_id"), ("é" * 257, "id_too_long")],
)
def test_an_order_that_cannot_be_one_is_refused_whole_and_only_where_it_matters(
    order: object, code: str
) -> None:
    """Counted nowhere, it can be sent again; where baskets do not count the field is unknown."""
    sink, baskets, refused = read({"type": "purchase", "order_id": order})
    assert (sink.taken, baskets.taken, refused) == ([], [], [code])
    sink, _, refused = read({"type": "purchase", "order_id": order}, on=False)
    assert (len(sink.taken), refused) == (1, [])


def test_a_pipeline_has_topics_and_state_of_its_own_and_shares_the_rest() -> None:
    """No slot, fence or message of one can be taken for the other's."""
    own = pipelines(ON)
    item, bought = own[ITEM], own[BOUGHT_TOGETHER]
    assert item is ON
    assert bought.interactions_topic == "streamapp-interactions-bought-together"
    assert bought.deltas_topic == "streamapp-deltas-bought-together"
    assert bought.state_prefix == "streamapp:bought_together:"
    assert bought.event_weights == {"purchase": 1}
    assert (bought.user_list_ttl, bought.trending_half_life) == (0, 0)
    same = ("list_prefix", "lists_topic", "group_id", "history_cap", "forget_after", "rule")
    assert all(getattr(item, name) == getattr(bought, name) for name in same)


def test_a_pipeline_that_is_off_needs_nothing() -> None:
    """No topic, no state."""
    assert list(pipelines(OFF)) == [ITEM]
    more = {topic.name for topic in needed_topics(ON)} - {
        topic.name for topic in needed_topics(OFF)
    }
    assert more == {pipelines(ON)[BOUGHT_TOGETHER].interactions_topic,
                    pipelines(ON)[BOUGHT_TOGETHER].deltas_topic}  # fmt: skip
    assert more == set(followers(ON)) - set(followers(OFF))


def test_what_is_trending_is_left_to_the_pipeline_of_all_interactions() -> None:
    """Another first shard would take the list away, for it knows of no interactions that fade."""
    nothing: Any = None
    outside = Outside(ON, nothing, nothing, nothing, Failpoints())
    own = replace(outside, settings=pipelines(ON)[BOUGHT_TOGETHER], kind=BOUGHT_TOGETHER)
    assert Neighbours(outside, 0)._trending is not None
    assert Neighbours(own, 0)._trending is None


@pytest.mark.parametrize(
    ("generation", "settings", "back"),
    [("0a1b2c3d", ON, "set it to false"), ("0a1b2c3d:bought_together", OFF, "set it to true")],
)
def test_a_state_of_other_kinds_is_refused_with_both_ways_out(
    generation: str, settings: Settings, back: str
) -> None:
    """In one line; a state begun before there were kinds is one without."""
    with pytest.raises(ConfigError, match=back) as caught:
        check_kinds(generation, settings)
    assert "streamapp rebuild" in str(caught.value)
    assert "\n" not in str(caught.value)
    check_kinds(generation, ON if settings is OFF else OFF)


def test_a_replay_sends_orders_as_they_were_logged() -> None:
    """What was no order stays none."""
    event = LoggedEvent("ann", "tent", "purchase", 1.0)
    assert orjson.loads(encode(event._replace(order_id="007")))["order_id"] == "007"
    assert "order_id" not in orjson.loads(encode(event))
