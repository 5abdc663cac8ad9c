"""Baskets equal a slow oracle over them, whatever of two cuts arrived when a worker died."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import hypothesis.strategies as st
import orjson
from hypothesis import given

from streamapp.core.event import EventReader
from streamapp.core.interactions import CutBuilder, Source
from streamapp.core.ranking import Rule
from streamapp.settings import Settings
from tests import oracle
from tests.oracle import Act
from tests.pipeline import Pipeline
from tests.property.test_equivalence import assert_equal_to_truth

WEIGHTS = {"click": 1.0, "add_to_cart": 3.0, "purchase": 5.0}
BASKET_WEIGHTS = {"purchase": 1.0}
READER = EventReader(Settings(_env_file=None).event_rules, "clicks")


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
    timestamp: int = 0


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


def cuts(records: Sequence[Record]) -> tuple[bytes | None, bytes | None]:
    """Return the cuts through some records: interactions and baskets, if there are any."""
    builders = CutBuilder(), CutBuilder()
    for builder in builders:
        builder.begin(Source("clicks", 0, records[-1].offset + 1))
    assert not READER.read(records, 2e9, *builders)
    messages = [builder.encode("g", partitions=1).get(0) for builder in builders]
    return messages[0], messages[1]


def interactions(acts: Sequence[Event]) -> list[Act]:
    """Return what the oracle counts for neighbours."""
    return [Act(one.user, one.item, WEIGHTS[one.type], one.ts) for one in acts]


def baskets(acts: Sequence[Event]) -> list[Act]:
    """Return what the oracle counts for what is bought together."""
    return [
        Act(
            f"the order {one.order}" if one.order else f"whoever is {one.user}", one.item, 1, one.ts
        )
        for one in acts
        if one.type == "purchase"
    ]


@given(st.data(), events, st.integers(1, 5), st.integers(1, 3))
def test_counts_and_lists_equal_the_truth_whatever_arrived_when_a_worker_died(
    data: st.DataObject, shop: list[Event], cap: int, shards: int
) -> None:
    """A death between the two cuts leaves one of them; both come again, with another end."""
    main, bought = Pipeline(shards, cap, Rule(4)), Pipeline(shards, cap, Rule(4))
    records = [record(offset, event) for offset, event in enumerate(shop)]
    position = 0
    deaths = data.draw(st.integers(0, 6))
    while position < len(records):
        end = data.draw(st.integers(position + 1, len(records)))
        arrived = (True, True)
        if deaths:
            arrived = data.draw(st.tuples(st.booleans(), st.booleans()))
        for pipeline, cut, weights, came in zip(
            (main, bought), cuts(records[position:end]), (WEIGHTS, BASKET_WEIGHTS), arrived,
            strict=True,
        ):  # fmt: skip
            if cut is not None and came:
                pipeline.apply(cut, weights)
        if deaths:
            deaths -= 1
        else:
            position = end
    for pipeline, acts in ((main, interactions(shop)), (bought, baskets(shop))):
        for shard in range(shards):
            pipeline.drain(shard)
        assert_equal_to_truth(pipeline, acts)


@given(events)
def test_a_cut_of_baskets_is_sent_only_where_something_was_bought(shop: list[Event]) -> None:
    """A shop that only looks costs no message; one that buys has as many baskets as the truth."""
    _, cut = cuts([record(offset, event) for offset, event in enumerate(shop)])
    truth = oracle.histories(baskets(shop), 100)
    assert (cut is not None) == bool(truth)
    if cut is not None:
        pipeline = Pipeline(1, 100, Rule(4))
        pipeline.apply(cut, BASKET_WEIGHTS)
        assert len(pipeline.histories) == len(truth)
