"""Histories of users with many events in one batch: as the rule says, in linear time."""

import math
import threading
import time

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from streamapp.core.histories.event_types import (
    FORGET_CODE,
    HIDDEN_CODE,
    NO_ORDER,
    REFUND_CODE,
    UNHIDE_CODE,
)
from streamapp.core.histories.history import EVERY_ITEM, Interactions, revise
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.ranking import ListRule
from tests.support import oracle
from tests.support.histories import TYPES, read, rule
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline
from tests.support.strategies import fickle_streams, portions

MANY = 120
"""Events of a user in one batch; above 16 they are applied in another way."""

CLICK, PURCHASE = TYPES.find("click"), TYPES.find("purchase")


def of_three(acts: list[Act]) -> list[Act]:
    """Return acts of two users with many, and of one with few, who stands between them."""
    own = [act._replace(user="u") for act in acts]
    last = [act._replace(user="w") for act in reversed(acts)]
    return [*own, *(act._replace(user="v") for act in acts[:3]), *last]


@given(
    st.data(),
    st.lists(fickle_streams(MANY, 30), min_size=1, max_size=3),
    st.integers(1, 4),
    st.sampled_from([math.inf, 5.0]),
)
def test_any_number_of_events_of_a_user_follows_the_history_rule(
    data: st.DataObject, streams: list[list[Act]], cap: int, forget_after_s: float
) -> None:
    """Repeats, late events, equal times, what leaves and comes back, and what is taken back."""
    pipeline = Pipeline(1, cap, ListRule(5), forget_after_s=forget_after_s)
    single = Pipeline(1, cap, ListRule(5), forget_after_s=forget_after_s)
    done: list[Act] = []
    for acts in streams:
        for part in data.draw(portions(acts)):
            batch = of_three(part)
            pipeline.take(batch)
            done += batch
            for act in batch:
                single.take([act])
            assert not pipeline.registry.scratch.any()
            for user, want in oracle.users(done, cap, forget_after_s).items():
                for one in (pipeline, single):
                    held = read(one.histories.get(user, b""), one.registry, one.rule_of)
                    assert {item: rated[1:] for item, rated in held.items()} == {
                        item: (want.rating(item), want.ts(item)) for item in want.seen
                    }
                    assert one.hidden(user) == set(want.hidden)
    for shard in (pipeline, single):
        shard.drain(0)
    assert pipeline.counts() == single.counts()


def test_what_came_and_left_in_one_batch_is_in_no_block() -> None:
    """A block has the entries of either history."""
    interactions, registry = everything(100, "rising")
    revisions = revise([b""], interactions, registry, rule(3))
    assert revisions.item.tolist() == [97, 98, 99]
    assert revisions.starts.tolist() == [0, 3]


def everything(events: int, order: str) -> tuple[Interactions, Registry]:
    """Return events of one user, each with another item; some take back or hide.

    Args:
        events: How many.
        order: How times follow each other; or what the events do, at rising times.
    """
    step = {"falling": -100.0, "equal": 0.0}.get(order, 100.0)
    number, half = np.arange(events), events // 2
    ts = np.asarray(1e9 + step * number, np.float64)
    item, code, of = number.copy(), np.full(events, CLICK, np.uint8), np.full(events, NO_ORDER)
    if order == "forgotten":
        item[1::2], code[1::2] = EVERY_ITEM, FORGET_CODE
    elif order == "hidden":
        item[half:], code[:half], code[half:] = number[:half], HIDDEN_CODE, UNHIDE_CODE
    elif order in {"refunds", "orders"}:
        code[:half], code[half:] = PURCHASE, REFUND_CODE
        of[:half] = of[half:] = 1.0 + number[:half]
        item[half:] = number[:half] if order == "refunds" else EVERY_ITEM
    items = item.astype(np.int32)
    interactions = Interactions(np.array([0, events]), items, code, ts, of)
    return interactions, Registry(map(str, range(events)))


def seconds(events: int, cap: int, order: str, forget_s: float) -> float:
    """Return the CPU time of such events."""
    interactions, registry = everything(events, order)
    began = time.process_time()
    revise([b""], interactions, registry, rule(cap, forget_after_s=forget_s))
    return time.process_time() - began


@pytest.mark.parametrize(
    "order", ["rising", "falling", "equal", "hidden", "refunds", "orders", "forgotten"]
)
@pytest.mark.parametrize(
    ("cap", "forget_s"), [(100, math.inf), (100_000, 50.0), (20_000, math.inf), (20_000, 1e9)]
)
def test_a_user_with_everything_takes_linear_time(order: str, cap: int, forget_s: float) -> None:
    """Within the largest batch there are some 400,000 events; 67,000 took three seconds."""
    seconds(50, cap, order, forget_s)
    few, many = min(seconds(25_000, cap, order, forget_s) for _ in range(3)), math.inf
    for _ in range(2):
        many = min(many, seconds(100_000, cap, order, forget_s))
    assert many < 0.05 + 10 * few
    assert many < 1


def test_other_threads_run_while_a_kernel_does() -> None:
    """The thread that answers Kafka would else miss its heartbeats during a long batch."""
    seconds(50, 100, "rising", math.inf)
    interactions, registry = everything(500_000, "falling")
    beats, done = 0, threading.Event()

    def beat() -> None:
        nonlocal beats
        while not done.wait(0.001):
            beats += 1

    heart = threading.Thread(target=beat)
    heart.start()
    before = beats
    revise([b""], interactions, registry, rule(100))
    during = beats - before
    done.set()
    heart.join()
    assert during > 50
