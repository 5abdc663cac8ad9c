"""A user who is merged into another one leaves counts as if both had had one id from the start."""

import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from streamapp.audit.log import read_interactions
from streamapp.audit.truth import hidden_items, live_ratings
from streamapp.config.rules import event_rules
from streamapp.config.settings import Settings
from streamapp.eventlog import LoggedEvent
from tests.property.test_equivalence import KINDS, acts_of, assert_equal_to_truth
from tests.support import oracle
from tests.support.oracle import Act
from tests.support.partitions import DEATHS, Partitions
from tests.support.strategies import examples, fickle_streams, portions, streams

_COUNTS = st.integers(1, 4)


def merge(user: str, into: str) -> Act:
    """Return the event that merges a user into another one."""
    return Act(user, "", 0.0, -math.inf, "merge", into=into)


@st.composite
def merged(draw: st.DrawFn, streams_: st.SearchStrategy[list[Act]]) -> list[Act]:
    """Draw a stream in which users are merged, chains and returns among them."""
    acts = draw(streams_)
    users = sorted({act.user for act in acts} | {"new"})
    for place in sorted(draw(st.lists(st.integers(0, len(acts)), max_size=5)), reverse=True):
        one, other = draw(st.lists(st.sampled_from(users), min_size=2, max_size=2, unique=True))
        acts.insert(place, merge(one, other))
    return acts


def one_id(acts: list[Act]) -> list[Act]:
    """Return the log in which merged users had one id from the start, without merges."""
    found: list[Act] = []
    for act in acts:
        if not act.into:
            found.append(act)
            continue
        last = max((place for place, one in enumerate(found)
                    if one.user == act.user and one.type == "forget"), default=-1)  # fmt: skip
        kept: list[Act] = []
        moved: list[Act] = []
        for place, one in enumerate(found):
            if one.user == act.user and place > last:
                moved.append(one._replace(user=act.into))
            else:
                kept.append(one)
        # Behind what the new user did: an earlier `forget` of that user does not concern it.
        found = kept + moved
    return found


def work(data: st.DataObject, run: Partitions) -> None:
    """Let owners of partitions work and die as nobody would expect."""
    some = st.tuples(
        st.integers(0, len(run.partitions) - 1), st.integers(1, 3),
        st.sampled_from(DEATHS), st.integers(0, 4),
    )  # fmt: skip
    for number, most, death, place in data.draw(st.lists(some, max_size=12)):
        run.work(number, most, death, place)


def with_leavers(acts: list[Act]) -> list[Act]:
    """Return acts with users who are forgotten, one for each equal time."""
    return [Act(act.user, "", 0.0, -math.inf, "forget") if act.ts % 5 == 0 else act for act in acts]


@pytest.mark.parametrize("kind", KINDS)
@examples(150)
@given(st.data(), merged(streams().map(with_leavers)), _COUNTS)
def test_partitions_may_work_in_any_order_and_die_at_any_time(
    kind: str, data: st.DataObject, acts: list[Act], count: int
) -> None:
    """Histories travel on where their new user left before they came, or end there."""
    run, acts = Partitions(count, kind=kind), acts_of(kind, acts)
    for part in data.draw(portions(acts)):
        run.take(part)
        work(data, run)
    run.finish()
    assert run.applied == len(acts)
    truth = one_id(acts)
    assert_equal_to_truth(run.shards, truth)
    assert run.histories().keys() == {
        user for user, one in oracle.users(truth, 100).items() if one.seen
    }


@examples(150)
@given(
    st.data(),
    merged(fickle_streams()),
    _COUNTS,
    st.integers(1, 5),
    st.sampled_from([5.0, math.inf]),
)
def test_the_union_is_by_the_history_rule(
    data: st.DataObject, acts: list[Act], count: int, cap: int, forget_after_s: float
) -> None:
    """Also with full histories, refunds and hidden items, once a transfer is there in time."""
    run = Partitions(count, cap, forget_after_s=forget_after_s)
    done: list[Act] = []
    for part in data.draw(portions(acts)):
        for place, act in enumerate(part):
            if act.into or (place and part[place - 1].into):
                run.finish()
            run.take([act])
        done += part
        work(data, run)
        run.finish()
        assert_equal_to_truth(run.shards, done)


@examples(200)
@given(merged(fickle_streams()), st.integers(1, 5), st.sampled_from([5.0, math.inf]))
def test_the_audit_follows_merges(acts: list[Act], cap: int, forget_after_s: float) -> None:
    """Its histories and hidden items are those of the slow truth."""
    logged = [
        LoggedEvent(act.into, "", "merge", None, None, act.user)
        if act.into
        else LoggedEvent(act.user, act.item, act.type, max(act.ts, 0.0), act.order or None)
        for act in acts
    ]
    settings = Settings(
        _env_file=None, event_weights={"click": 1.0, "add_to_cart": 3.0, "purchase": 5.0}
    )
    log = read_interactions(logged, event_rules(settings), settings.event_weights, "clicks", 2e9)
    live = live_ratings(log, cap, forget_after_s)
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for user, item, rating, ts in zip(
        live.user.tolist(), live.item.tolist(), live.rating.tolist(), live.ts.tolist(), strict=True
    ):
        found.setdefault(log.users[user], {})[log.items[item]] = rating, ts
    want = oracle.histories(acts, cap, forget_after_s)
    assert found == {user: some for user, some in want.items() if some}
    hidden = {
        log.users[user]: some for user, some in hidden_items(log, cap, forget_after_s).items()
    }
    assert hidden == {
        user: one.hidden
        for user, one in oracle.users(acts, cap, forget_after_s).items()
        if one.hidden
    }
