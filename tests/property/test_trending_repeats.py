"""Which interactions add to what trends: the kernel and the audit agree with the oracle."""

import math
from collections.abc import Mapping
from itertools import groupby

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamapp.audit.log import LogInteractions, TrendingWeights
from streamapp.audit.trending_weights import daily_weights
from streamapp.audit.truth import news_in_order
from streamapp.core.histories.decay import Decay
from streamapp.core.histories.event_types import NO_ORDER
from streamapp.core.histories.history import EVERY_ITEM, Interactions, revise
from streamapp.core.histories.marks import order_number
from streamapp.core.ids.registry import Registry
from tests.property.test_merging import merge, merged
from tests.support.histories import TYPES, rule
from tests.support.oracle import Act, History, daily
from tests.support.strategies import days, examples, fickle_streams, portions, streams

HALF_LIFE_S = 40_000.0


def grouped(acts: list[Act], registry: Registry) -> tuple[list[str], Interactions]:
    """Return the acts of a batch, which are in the order of their users."""
    sizes = [(user, len(list(some))) for user, some in groupby(act.user for act in acts)]
    numbers = [int(registry.number([act.item])[0]) if act.item else EVERY_ITEM for act in acts]
    orders = [order_number(act.order) if act.order else NO_ORDER for act in acts]
    return [user for user, _ in sizes], Interactions(
        np.cumsum([0, *(size for _, size in sizes)]),
        np.array(numbers, np.int32),
        TYPES.numbers([act.type for act in acts]),
        np.array([act.ts for act in acts]),
        np.array(orders),
    )


@given(
    st.data(),
    st.lists(fickle_streams(40, times=days), min_size=1, max_size=3),
    st.integers(1, 4),
    st.sampled_from([math.inf, 50_000.0]),
    st.sampled_from([None, Decay(86_400.0)]),
)
def test_an_interaction_is_news_as_the_rule_says(
    data: st.DataObject,
    streams: list[list[Act]],
    cap: int,
    forget_after_s: float,
    decay: Decay | None,
) -> None:
    """After evictions, pauses and what is taken back; in batches of any size; with decay too."""
    by = rule(cap, forget_after_s=forget_after_s, decay=decay)
    registry, histories, done = Registry(), dict[str, bytes](), list[Act]()
    for part in (part for acts in streams for part in data.draw(portions(acts))):
        batch = sorted(part, key=lambda act: act.user)
        names, interactions = grouped(batch, registry)
        before = [histories.get(user, b"") for user in names]
        revisions = revise(before, interactions, registry, by)
        histories.update(zip(names, revisions.stored, strict=True))
        done += batch
        expected = daily(done, cap, forget_after_s)[-len(batch) :]
        assert revisions.is_news.tolist() == expected


def log(acts: list[Act]) -> LogInteractions:
    """Return the log that the audit reads."""
    users, items, kinds = (
        list(dict.fromkeys(values))
        for values in (
            (name for act in acts for name in (act.user, act.into) if name),
            (act.item for act in acts if act.item),
            (act.type for act in acts),
        )
    )
    into = np.array([users.index(act.into) if act.into else -1 for act in acts], np.int32)
    return LogInteractions(
        users,
        items,
        np.array([users.index(act.user) for act in acts], np.int32),
        np.array([items.index(act.item) if act.item else -1 for act in acts], np.int32),
        np.array([act.weight for act in acts], np.float64),
        np.array([act.ts for act in acts], np.float64),
        {},
        {},
        kinds=kinds,
        kind=np.array([kinds.index(act.type) for act in acts], np.int32),
        order=np.array([order_number(act.order) if act.order else NO_ORDER for act in acts]),
        into=into if (into >= 0).any() else None,
    )


def added(one: LogInteractions, weights: TrendingWeights) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the most popularity of each item, as of the first time of the log."""
    share = np.exp2((one.ts - 1e9) / HALF_LIFE_S)
    share[one.weight == 0] = 0.0
    least, most = (
        np.bincount(np.maximum(one.item, 0), weight * share, len(one.items) or 1)
        for weight in weights
    )
    return least, most


@given(fickle_streams(60, times=days), st.integers(1, 4), st.sampled_from([math.inf, 50_000.0]))
def test_the_audit_adds_what_the_rule_says_if_there_is_one_topic(
    acts: list[Act], cap: int, forget_after_s: float
) -> None:
    """Exactly."""
    weights = daily_weights(log(acts), {}, HALF_LIFE_S, cap, forget_after_s)
    adds = daily(acts, cap, forget_after_s)
    expected = [act.weight * is_so for act, is_so in zip(acts, adds, strict=True)]
    assert weights.least.tolist() == weights.most.tolist() == expected


TOPICS = {"click": "clicks", "add_to_cart": "carts", "remove_from_cart": "carts"}


def by_topic(acts: list[Act], topics: Mapping[str, str]) -> dict[tuple[str, str], list[int]]:
    """Return the places of the acts of each user and topic."""
    queues: dict[tuple[str, str], list[int]] = {}
    for place, act in enumerate(acts):
        queues.setdefault((act.user, topics.get(act.type, "")), []).append(place)
    return queues


@given(st.data(), fickle_streams(30, times=days), st.integers(1, 6))
def test_the_audit_accepts_every_order_between_topics(
    data: st.DataObject, acts: list[Act], cap: int
) -> None:
    """The order within a topic is that of the log."""
    one = log(acts)
    least, most = added(one, daily_weights(one, TOPICS, HALF_LIFE_S, cap))
    queues = by_topic(acts, TOPICS)
    order: list[int] = []
    while queues:
        chosen = data.draw(st.sampled_from(sorted(queues)))
        order.append(queues[chosen].pop(0))
        if not queues[chosen]:
            del queues[chosen]
    adds = np.zeros(len(acts))
    adds[order] = daily([acts[place] for place in order], cap)
    exact, _ = added(one, TrendingWeights.exactly(one.weight * adds))
    assert (least <= exact * (1 + 1e-12)).all()
    assert (exact <= most * (1 + 1e-12)).all()


@examples(300)
@given(
    st.data(),
    merged(st.one_of(streams(30, times=days), fickle_streams(30, times=days))),
    st.integers(1, 8),
    st.sampled_from([math.inf, 50_000.0]),
)
def test_the_audit_accepts_every_moment_at_which_a_merged_history_arrives(
    data: st.DataObject, acts: list[Act], cap: int, forget_after_s: float
) -> None:
    """Users wait for each other nowhere, so a history may arrive whenever its merge is over."""
    one, topics = log(acts), data.draw(st.sampled_from([TOPICS, {}]))
    least, most = added(one, daily_weights(one, topics, HALF_LIFE_S, cap, forget_after_s))
    queues, found = by_topic(acts, topics), dict[str, History]()
    travelling: list[tuple[History, str]] = []
    adds = np.zeros(len(acts))
    while queues or travelling:
        chosen = data.draw(st.sampled_from([*sorted(queues), *range(len(travelling))]))
        if isinstance(chosen, int):
            history, into = travelling.pop(chosen)
            found[into] = found.get(into, History()).union(history, cap, forget_after_s)
            continue
        place = queues[chosen].pop(0)
        if not queues[chosen]:
            del queues[chosen]
        act = acts[place]
        if act.into:
            travelling.append((found.pop(act.user, History()), act.into))
        else:
            adds[place] = found.setdefault(act.user, History()).take(act, cap, forget_after_s)
    exact, _ = added(one, TrendingWeights.exactly(one.weight * adds))
    assert (least <= exact * (1 + 1e-12)).all()
    assert (exact <= most * (1 + 1e-12)).all()


@given(merged(fickle_streams(40, times=days)), st.integers(1, 4))
def test_the_replay_of_the_audit_knows_what_a_merge_makes_a_repeat(
    acts: list[Act], cap: int
) -> None:
    """Where histories arrive at once."""
    one, news = log(acts), np.zeros(len(acts), np.bool_)
    for places, some in news_in_order(one, np.ones(len(one.users), np.bool_), cap, math.inf):
        news[places] = some
    assert news.tolist() == daily(acts, cap)


def test_only_the_first_repeat_after_a_merge_is_left_open() -> None:
    """The history may arrive before it or behind it. What the visitor does later is new."""
    day = 86_400.0 * 11_574
    acts = [
        Act("v", "a", 1.0, day), Act("v", "a", 1.0, day + 1), Act("u", "b", 1.0, day),
        merge("v", "u"),
        Act("u", "a", 1.0, day + 2), Act("u", "a", 1.0, day + 3), Act("u", "a", 5.0, day + 4),
        Act("u", "a", 1.0, day + 90_000), Act("v", "a", 1.0, day + 5), Act("v", "a", 1.0, day + 6),
    ]  # fmt: skip
    weights = daily_weights(log(acts), {}, HALF_LIFE_S, 9)
    assert weights.least.tolist() == [0, 0, 1, 0, 0, 0, 5, 1, 0, 0]
    assert weights.most.tolist() == [1, 0, 1, 0, 1, 0, 5, 1, 1, 0]


def test_what_may_leave_the_history_of_a_merged_user_may_be_new_again() -> None:
    """A full history loses an item when another one arrives; an item may also be taken back."""
    day = 86_400.0 * 11_574
    full = [
        Act("u", "a", 1.0, day), Act("v", "b", 1.0, day + 1), Act("v", "c", 1.0, day + 2),
        merge("v", "u"), Act("u", "a", 1.0, day + 3),
    ]  # fmt: skip
    taken = [
        Act("u", "a", 3.0, day), Act("u", "a", 0.0, day + 1, "remove_from_cart"),
        Act("u", "a", 3.0, day + 2), merge("v", "u"),
    ]  # fmt: skip
    for acts, cap, last in ((full, 2, 4), (taken, 9, 2)):
        assert daily(acts, cap)[last]
        assert daily_weights(log(acts), {}, HALF_LIFE_S, cap).most[last] == acts[last].weight


def test_a_click_and_a_purchase_of_one_day_leave_only_the_click_open() -> None:
    """Without the order of their topics; other days and users are exact."""
    day = 86_400.0 * 11_574
    acts = [
        Act("u", "a", 1.0, day), Act("u", "a", 5.0, day + 1), Act("u", "a", 1.0, day + 90_000),
        Act("u", "b", 1.0, day), Act("u", "b", 1.0, day + 1), Act("v", "a", 1.0, day),
    ]  # fmt: skip
    weights = daily_weights(log(acts), TOPICS, HALF_LIFE_S, 9)
    assert weights.least.tolist() == [0.0, 5.0, 1.0, 1.0, 0.0, 1.0]
    assert weights.most.tolist() == [1.0, 5.0, 1.0, 1.0, 0.0, 1.0]
