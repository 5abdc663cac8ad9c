"""Projections: the counted part of an event for each kind of lists, and their pipelines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson
import pytest

from loadtest.replay import encode
from streamapp.agents.shard.stage import owns_trending
from streamapp.config.rules import event_rules
from streamapp.config.settings import Settings
from streamapp.core.events.event_reader import EventReader
from streamapp.core.events.projection import PROJECTIONS
from streamapp.core.list_kinds import BOUGHT_AFTER_VIEW, BOUGHT_TOGETHER, ITEM
from streamapp.errors import ConfigError
from streamapp.eventlog import LoggedEvent
from streamapp.pipelines import extra_kinds, followers, main_pipeline, pipelines
from streamapp.store.state_layout import check_kinds
from streamapp.transport.topics import needed_topics

READER = EventReader(event_rules(Settings(_env_file=None)), "clicks")
OFF = Settings(_env_file=None)
BASKETS = Settings(_env_file=None, bought_together=True)
VIEWS = Settings(_env_file=None, bought_after_view=True)
BOTH = Settings(_env_file=None, bought_together=True, bought_after_view=True)


@dataclass
class Record:
    """A record of user ann."""

    value: bytes | None
    offset: int = 3
    timestamp: int = 1_700_000_000_000
    key: bytes | None = b"ann"


@dataclass
class Sink:
    """Remembers interactions."""

    taken: list[tuple[str, str, str]] = field(default_factory=list)

    def add(
        self, offset: int, user: str, item: str, kind: str, ts: float, order: float = 0.0
    ) -> None:
        """Take an interaction."""
        assert (offset, ts) == (3, 1_700_000_000.0)
        self.taken.append((user, item, kind))

    def leave(self, offset: int, user: str, into: str, logged_ms: int) -> None:
        """Take an event that ends a history; no test here sends one."""
        raise AssertionError(user)

    def skip(self, offset: int, user: str, kind: str) -> None:
        """Take an event of unknown type."""


def read(
    *events: Mapping[str, object], kinds: Sequence[str] = (BOUGHT_TOGETHER,)
) -> tuple[Sink, Sink, list[str]]:
    """Return the interactions, those of the last kind, and the codes of refusals."""
    value = orjson.dumps([{"user_id": "ann", "item_id": "tent", **event} for event in events])
    sink, own = Sink(), [Sink() for _ in kinds]
    projections = [(PROJECTIONS[kind], one) for kind, one in zip(kinds, own, strict=True)]
    refused = READER.read([Record(value)], sink, projections)
    return sink, [sink, *own][-1], [refusal.code for refusal in refused]


def test_a_purchase_goes_into_the_basket_of_its_order_and_else_of_its_user() -> None:
    """Under any name of a purchase; an integer is taken as its decimal string."""
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
    """Not even an order with the name of the user, or of the user's basket."""
    _, baskets, _ = read(
        {"type": "purchase"},
        {"type": "purchase", "order_id": "ann"},
        {"type": "purchase", "order_id": "u:ann"},
    )
    assert len({basket for basket, _, _ in baskets.taken}) == 3


def test_nothing_but_a_purchase_goes_into_a_basket_and_everything_still_counts() -> None:
    """Clicks may name an order too; it is ignored."""
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
    for kinds in ((BOUGHT_AFTER_VIEW, BOUGHT_TOGETHER), (BOUGHT_TOGETHER, BOUGHT_AFTER_VIEW)):
        sink, other, refused = read({"type": "purchase", "order_id": order}, kinds=kinds)
        assert (sink.taken, other.taken, refused) == ([], [], [code])
    for some in ((), (BOUGHT_AFTER_VIEW,)):
        sink, _, refused = read({"type": "purchase", "order_id": order}, kinds=some)
        assert (len(sink.taken), refused) == (1, [])


def test_what_is_no_purchase_is_a_view() -> None:
    """Under any name; the user stays, orders do not matter, unknown types are left out."""
    sink, roles, refused = read(
        {"type": "view"},
        {"type": "add_to_cart"},
        {"type": "order", "order_id": "7"},
        {"type": "scroll"},
        kinds=(BOUGHT_AFTER_VIEW,),
    )
    assert roles.taken == [
        ("ann", "v:tent", "click"), ("ann", "v:tent", "add_to_cart"), ("ann", "b:tent", "purchase"),
    ]  # fmt: skip
    assert {item for _, item, _ in sink.taken} == {"tent"}
    assert not refused


def test_a_pipeline_has_topics_and_state_of_its_own_and_shares_the_rest() -> None:
    """No slot, source or message of one can be taken for the other's."""
    own = pipelines(BOTH)
    item = own.pop(ITEM)
    assert item == main_pipeline(BOTH)
    assert item.topics == ("clicks", "purchases", "streamapp-interactions", "streamapp-deltas")
    assert list(own) == [BOUGHT_TOGETHER, BOUGHT_AFTER_VIEW]
    for kind, one in own.items():
        name = kind.replace("_", "-")
        assert one.interactions_topic == f"streamapp-interactions-{name}"
        assert one.deltas_topic == f"streamapp-deltas-{name}"
        assert one.state_prefix == f"streamapp:{kind}:"
        assert (item.makes_user_lists, item.makes_trending, item.owns_trending) == (True,) * 3
        assert (one.makes_user_lists, one.makes_trending, one.owns_trending) == (False,) * 3
        assert one.event_topics == item.event_topics
    assert own[BOUGHT_TOGETHER].event_weights == {"purchase": 1}
    caps = [one.history_cap for one in own.values()]
    assert caps == [item.history_cap, 2 * item.history_cap]
    assert own[BOUGHT_AFTER_VIEW].event_weights == {"click": 1, "add_to_cart": 1, "purchase": 1}


def test_a_pipeline_that_is_off_needs_nothing() -> None:
    """No topic, no state."""
    assert list(pipelines(OFF)) == [ITEM]
    for on, kind in ((BASKETS, BOUGHT_TOGETHER), (VIEWS, BOUGHT_AFTER_VIEW)):
        own = pipelines(on)
        assert list(own) == [ITEM, kind]
        more = {topic.name for topic in needed_topics(on)} - {
            topic.name for topic in needed_topics(OFF)
        }
        assert more == set(own[kind].internal_topics) == set(followers(on)) - set(followers(OFF))


def test_what_is_trending_is_left_to_the_pipeline_of_all_interactions() -> None:
    """Another first shard would remove the list, because it has no decayed interactions."""
    main = main_pipeline(BOTH)
    assert [owns_trending(main, number) for number in range(2)] == [True, False]
    assert not any(owns_trending(pipelines(BOTH)[kind], 0) for kind in PROJECTIONS)


@pytest.mark.parametrize(
    ("state_id", "same", "other", "back"),
    [
        ("0a1b2c3d", OFF, BASKETS, "BOUGHT_TOGETHER is true.*set it to false"),
        ("0a1b2c3d", OFF, VIEWS, "BOUGHT_AFTER_VIEW is true.*set it to false"),
        ("0a1b2c3d:bought_together", BASKETS, OFF, "BOUGHT_TOGETHER is false.*set it to true"),
        ("0a1b2c3d:bought_together", BASKETS, BOTH, "BOUGHT_AFTER_VIEW is true.*set it to false"),
        ("0a1b2c3d:bought_after_view", VIEWS, OFF, "BOUGHT_AFTER_VIEW is false.*set it to true"),
        ("0a1b2c3d:bought_after_view", VIEWS, BASKETS, "BOUGHT_TOGETHER is true"),
        ("0a1b2c3d:bought_together:bought_after_view", BOTH, BASKETS, "BOUGHT_AFTER_VIEW is false"),
    ],
)
def test_a_state_of_other_kinds_is_refused_with_both_ways_out(
    state_id: str, same: Settings, other: Settings, back: str
) -> None:
    """In one line; a state begun before there were kinds is one without."""
    with pytest.raises(ConfigError, match=back) as caught:
        check_kinds(state_id, other)
    assert "streamapp rebuild" in str(caught.value)
    assert "\n" not in str(caught.value)
    check_kinds(state_id, same)


def test_a_state_without_kinds_is_called_as_before_there_were_any() -> None:
    """Its name is part of the state of today."""
    kinds = [extra_kinds(settings) for settings in (OFF, BASKETS, VIEWS, BOTH)]
    assert kinds == [
        (), (BOUGHT_TOGETHER,), (BOUGHT_AFTER_VIEW,), (BOUGHT_TOGETHER, BOUGHT_AFTER_VIEW),
    ]  # fmt: skip


def test_a_replay_sends_orders_as_they_were_logged() -> None:
    """An event without an order stays one."""
    event = LoggedEvent("ann", "tent", "purchase", 1.0)
    assert orjson.loads(encode(event._replace(order_id="007")))["order_id"] == "007"
    assert "order_id" not in orjson.loads(encode(event))
