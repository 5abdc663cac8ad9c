"""Histories of users with many events in one batch: as the rule says, in linear time."""

import math
import threading
import time

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given

from streamapp.core.histories.history import ENTRY, Interactions, newest_ts, revise
from streamapp.core.ids.registry import Registry
from tests.support import oracle
from tests.support.oracle import Act
from tests.support.strategies import WEIGHTS

MANY = 120
"""Events of a user in one batch; above 16 they are applied in another way."""

names = st.sampled_from("abcdefghij")
acts = st.builds(
    Act,
    user=st.sampled_from(["u", "v"]),
    item=names,
    weight=st.sampled_from(WEIGHTS),
    ts=st.integers(0, 30).map(lambda number: 1e9 + 10.0 * number),
)


def revised(
    some: list[Act], registry: Registry, before: dict[str, bytes], cap: int, forget_s: float
) -> dict[str, bytes]:
    """Apply acts to histories as one batch."""
    users = sorted({act.user for act in some})
    by_user = [[act for act in some if act.user == user] for user in users]
    in_order = [act for own in by_user for act in own]
    found = revise(
        [before.get(user, b"") for user in users],
        Interactions(
            np.concatenate(([0], np.cumsum([len(own) for own in by_user]))),
            registry.number([act.item for act in in_order]),
            np.array([act.weight for act in in_order]),
            np.array([act.ts for act in in_order]),
        ),
        registry,
        cap,
        forget_s,
    )
    for history, as_of in zip(found.histories(), found.as_of, strict=True):
        assert not history or newest_ts(history) <= as_of
    assert not registry.scratch.any()
    return before | dict(zip(users, found.histories(), strict=True))


@given(
    st.lists(st.lists(acts, min_size=1, max_size=MANY), min_size=1, max_size=3),
    st.integers(1, 7),
    st.sampled_from([math.inf, 25.0]),
)
@example([[Act("u", "a", 1.0, 1e9)] * 40, [Act("u", "b", 1.0, 1e9)] * 40], 1, math.inf)
def test_any_number_of_events_of_a_user_follows_the_history_rule(
    batches: list[list[Act]], cap: int, forget_s: float
) -> None:
    """Repeats, late events, equal times, evicted items that come back, and new beginnings."""
    registry, held = Registry(), dict[str, bytes]()
    for batch in batches:
        held = revised(batch, registry, held, cap, forget_s)
    want = oracle.histories([act for batch in batches for act in batch], cap, forget_s)
    got = {
        user: {
            registry.ids[entry["item"]]: (float(entry["rating"]), float(entry["ts"]))
            for entry in np.frombuffer(history, ENTRY)
        }
        for user, history in held.items()
    }
    assert got == want


def everything(events: int, order: str) -> tuple[Interactions, Registry]:
    """Return events of one user, each with another item."""
    step = {"rising": 100.0, "falling": -100.0, "equal": 0.0}[order]
    ts = np.array([1e9 + step * number for number in range(events)])
    item = np.arange(events, dtype=np.int32)
    interactions = Interactions(np.array([0, events]), item, np.ones(events), ts)
    return interactions, Registry(map(str, range(events)))


def seconds(events: int, cap: int, order: str, forget_s: float) -> float:
    """Return the CPU time of such events."""
    interactions, registry = everything(events, order)
    began = time.process_time()
    revise([b""], interactions, registry, cap, forget_s)
    return time.process_time() - began


@pytest.mark.parametrize("order", ["rising", "falling", "equal"])
@pytest.mark.parametrize(
    ("cap", "forget_s"), [(100, math.inf), (100_000, 50.0), (20_000, math.inf)]
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
    revise([b""], interactions, registry, 100)
    during = beats - before
    done.set()
    heart.join()
    assert during > 50
