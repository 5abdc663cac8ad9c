"""Every kind of lists equals a slow oracle, for any cuts that arrived before a worker died."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import hypothesis.strategies as st
import orjson
import pytest
from hypothesis import given

from streamapp.config.rules import event_rules
from streamapp.config.settings import Settings
from streamapp.core.events.event_reader import EventReader
from streamapp.core.events.projection import PROJECTIONS
from streamapp.core.list_kinds import BOUGHT_AFTER_VIEW, BOUGHT_TOGETHER, ITEM
from streamapp.core.lists.ranking import ListRule
from streamapp.core.messages.interaction_batch import InteractionBatchBuilder, Source
from streamapp.pipelines import pipelines
from tests.property.test_equivalence import assert_equal_to_truth
from tests.support import oracle
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline

SETTINGS = Settings(_env_file=None, bought_together=True, bought_after_view=True)
WEIGHTS = {kind: dict(own.event_weights) for kind, own in pipelines(SETTINGS).items()}
READER = EventReader(event_rules(SETTINGS), "clicks")


class Event(NamedTuple):
    """An event of a shop; users and orders have the same names."""

    user: str
    item: str
    type: str
    ts: float
    order: str | None


@dataclass
class Record:
    """An event as a Kafka client hands it over."""

    offset: int
    value: bytes | None
    key: bytes | None
    timestamp: int = 1_700_000_000_000


events = st.lists(
    st.builds(
        Event,
        user=st.sampled_from("ab"),
        item=st.sampled_from("pqrstu"),
        type=st.sampled_from(["click", "purchase", "purchase", "add_to_cart"]),
        ts=st.integers(1_000_000_000, 1_000_000_020).map(float),
        order=st.sampled_from([None, "a", "b", "c"]),
    ),
    min_size=1,
    max_size=40,
)


def record(offset: int, event: Event) -> Record:
    """Return an event as it was produced."""
    value = {"user_id": event.user, "item_id": event.item, "type": event.type, "ts": event.ts}
    if event.order is not None:
        value["order_id"] = event.order
    return Record(offset, orjson.dumps(value), event.user.encode())


def cuts(records: Sequence[Record]) -> dict[str, bytes | None]:
    """Return the cuts through some records, by kind of lists; None where nothing is counted."""
    builders = {kind: InteractionBatchBuilder() for kind in WEIGHTS}
    for builder in builders.values():
        builder.begin(Source("clicks", 0, records[-1].offset + 1))
    projections = [(project, builders[kind]) for kind, project in PROJECTIONS.items()]
    assert not READER.read(records, builders[ITEM], projections)
    return {kind: builder.encode("g", 1).get(0) for kind, builder in builders.items()}


def counted(kind: str, shop: Sequence[Event]) -> list[Act]:
    """Return the oracle's counts for a kind of lists."""
    if kind == ITEM:
        return [Act(one.user, one.item, WEIGHTS[ITEM][one.type], one.ts) for one in shop]
    if kind == BOUGHT_AFTER_VIEW:
        return [
            act
            for one in shop
            for act in oracle.in_roles(Act(one.user, one.item, 1.0, one.ts, one.type))
        ]
    return [
        Act(f"the order {one.order}" if one.order else f"the user {one.user}", one.item, 1, one.ts)
        for one in shop
        if one.type == "purchase"
    ]


@given(st.data(), events, st.integers(1, 5), st.integers(1, 3))
def test_counts_and_lists_equal_the_truth_whatever_arrived_when_a_worker_died(
    data: st.DataObject, shop: list[Event], cap: int, shards: int
) -> None:
    """A death between the cuts leaves some of them; all come again, with another end."""
    made = {kind: Pipeline(shards, cap, ListRule(4), kind=kind) for kind in WEIGHTS}
    records = [record(offset, event) for offset, event in enumerate(shop)]
    position = 0
    deaths = data.draw(st.integers(0, 6))
    while position < len(records):
        end = data.draw(st.integers(position + 1, len(records)))
        for kind, cut in cuts(records[position:end]).items():
            arrived = not deaths or data.draw(st.booleans())
            if cut is not None and arrived:
                made[kind].apply(cut, WEIGHTS[kind])
        if deaths:
            deaths -= 1
        else:
            position = end
    for kind, pipeline in made.items():
        for shard in range(shards):
            pipeline.drain(shard)
        assert_equal_to_truth(pipeline, counted(kind, shop))


@pytest.mark.parametrize("kind", [BOUGHT_TOGETHER, BOUGHT_AFTER_VIEW])
@given(events)
def test_a_cut_is_sent_only_where_something_is_counted(kind: str, shop: list[Event]) -> None:
    """Views cost no message of baskets; purchases give the baskets of the truth."""
    cut = cuts([record(offset, event) for offset, event in enumerate(shop)])[kind]
    truth = oracle.histories(counted(kind, shop), 100)
    assert (cut is not None) == bool(truth)
    if cut is not None:
        pipeline = Pipeline(1, 100, ListRule(4), kind=kind)
        pipeline.apply(cut, WEIGHTS[kind])
        assert len(pipeline.histories) == len(truth)


@given(st.data(), events, st.integers(1, 3))
def test_direction_is_kept_and_nothing_else_is_held(
    data: st.DataObject, shop: list[Event], shards: int
) -> None:
    """Only viewed items have rows, only bought items are in them, and hidden items are out."""
    pipeline = Pipeline(shards, 6, ListRule(4), kind=BOUGHT_AFTER_VIEW)
    hidden: dict[str, bool] = {}
    for end in range(1, len(shop) + 1, 7):
        pipeline.take(counted(BOUGHT_AFTER_VIEW, shop[end - 1 : end + 6]))
        now = data.draw(st.dictionaries(st.sampled_from("pqrxyz"), st.booleans()))
        hidden |= now
        pipeline.tell(now)
    for number, shard in enumerate(pipeline.rows):
        pipeline.drain(number)
        ids = shard.registry.ids
        assert all(ids[row].startswith("v:") for row in shard.owned.nonzero()[0])
        starts, sizes, items, *_ = shard.rows.cells
        held = {
            (ids[row], ids[item])
            for row in sizes.nonzero()[0]
            for item in items[starts[row] : starts[row] + sizes[row]]
        }
        assert all(oracle.bought_after_view(*pair) for pair in held)
    out = [item for item, gone in hidden.items() if gone]
    assert_equal_to_truth(pipeline, counted(BOUGHT_AFTER_VIEW, shop), out)
