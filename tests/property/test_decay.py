"""With decay, lists are those of the plain definition, over any number of years."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from streamapp.core.counts.decayed_norms import DECAYED_NORM, DecayedNorms
from streamapp.core.counts.era_index import EraIndex
from streamapp.core.counts.norms_and_rows import NormsAndRows
from streamapp.core.histories.decay import Decay
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.ranking import MEASURES, ListRule, Measure
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.shard.shard import Shard
from tests.property.test_freshness import Published, publish_dirty, sweep
from tests.support import oracle
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline
from tests.support.strategies import WEIGHTS, ids, portions

YEAR_S = 365.25 * 86_400
HALF_LIVES_S = (3_600.0, 86_400.0, 30 * 86_400.0, 10 * YEAR_S)
START = 1_400_000_000.0


@st.composite
def years(draw: st.DrawFn) -> list[Act]:
    """Draw acts of a few users on a few items, over ten years, early and late, some at one time."""
    users = draw(st.lists(ids, min_size=1, max_size=4, unique=True))
    items = draw(st.lists(ids, min_size=1, max_size=6, unique=True))
    distances = st.one_of(
        st.floats(0, 10 * YEAR_S), st.integers(0, 40).map(lambda hours: hours * 3_600.0)
    )
    act = st.builds(
        Act,
        user=st.sampled_from(users),
        item=st.sampled_from(items),
        weight=st.sampled_from([*WEIGHTS, 0.1]),
        ts=distances.map(lambda seconds: START + seconds),
        kind=st.just(""),
        order=st.just(""),
        into=st.just(""),
    )
    return draw(st.lists(act, min_size=1, max_size=40))


def assert_as_defined(
    pipeline: Pipeline, want: dict[str, list[tuple[str, float, int]]], top_n: int
) -> None:
    """Compare lists with those of the oracle, of all neighbours: scores to 1e-9, support, order."""
    got = pipeline.lists()
    assert set(got) == set(want)
    for item, entries in got.items():
        true = {other: (score, support) for other, score, support in want[item]}
        best = want[item][:top_n]
        assert len(entries) == len(best)
        for place, (other, score, support) in enumerate(entries):
            assert support == true[other][1]
            assert score == pytest.approx(true[other][0], rel=0, abs=1e-9)
            assert score == pytest.approx(best[place][1], rel=0, abs=1e-9)
        order = [(-score, other.encode()) for other, score, _ in entries]
        assert order == sorted(order)
        assert len({other for other, _, _ in entries}) == len(entries)


def eras_of(pipeline: Pipeline, shard: int = 0) -> EraIndex:
    """Return the item eras of a shard."""
    norms = pipeline.rows[shard].norms
    assert isinstance(norms, DecayedNorms)
    return norms.eras


def drain(pipeline: Pipeline) -> None:
    """Apply all messages that shards have not applied."""
    for shard in range(pipeline.shards):
        pipeline.drain(shard)


@given(
    st.data(), years(), st.integers(1, 6), st.integers(1, 3), st.sampled_from(HALF_LIVES_S),
    st.sampled_from([np.inf, YEAR_S]),
)  # fmt: skip
def test_lists_equal_the_definition_at_every_prefix(
    data: st.DataObject, acts: list[Act], cap: int, shards: int, half_life_s: float, forget_s: float
) -> None:
    """Late and early events, evictions, purchases after clicks, and users who begin again."""
    top_n = data.draw(st.integers(1, 5))
    pipeline = Pipeline(
        shards, cap, ListRule(top_n), decay=Decay(half_life_s), forget_after_s=forget_s,
        joint=data.draw(st.integers(1, 4)),
    )  # fmt: skip
    done: list[Act] = []
    for part in data.draw(portions(acts)):
        pipeline.take(part)
        done += part
        if len(done) < len(acts) and data.draw(st.booleans()):
            continue
        drain(pipeline)
        want = oracle.faded(done, cap, half_life_s, 100, forget_after_s=forget_s)
        assert_as_defined(pipeline, want, top_n)


@given(st.data(), years(), st.integers(1, 6), st.sampled_from(HALF_LIVES_S))
def test_who_is_forgotten_leaves_nothing(
    data: st.DataObject, acts: list[Act], cap: int, half_life_s: float
) -> None:
    """The rest is as if the others never were, down to the oldest contribution."""
    pipeline = Pipeline(2, cap, ListRule(100), decay=Decay(half_life_s))
    pipeline.take(acts)
    users = sorted({act.user for act in acts})
    gone = data.draw(st.sets(st.sampled_from(users)))
    pipeline.forget(sorted(gone))
    drain(pipeline)
    want = oracle.faded(acts, cap, half_life_s, 100, forgotten=gone)
    assert_as_defined(pipeline, want, 100)
    for shard in pipeline.rows:
        held = shard.norms.users > 0
        assert (shard.norms.sum_sq[held] >= 1).all()
        assert not shard.norms.sum_sq[~held].any()
        packed = b"".join(one for _, one in shard.norms.packed_changes(shard.position))
        norms = np.frombuffer(packed, DECAYED_NORM)
        assert not norms["sum_sq"][norms["users"] == 0].any()


@given(
    st.data(), years(), st.integers(1, 4), st.integers(1, 3), st.sampled_from(HALF_LIVES_S),
    st.integers(1, 4),
)  # fmt: skip
def test_a_shard_that_died_goes_on_from_whatever_was_stored(
    data: st.DataObject, acts: list[Act], cap: int, shards: int, half_life_s: float, joint: int
) -> None:
    """Rows, sums and numbers of item eras that are ahead of the position are those of the log."""
    decay = Decay(half_life_s)
    pipeline = Pipeline(shards, cap, ListRule(100), decay=decay, joint=joint)
    for part in data.draw(portions(acts)):
        pipeline.take(part)
        if data.draw(st.booleans()):
            pipeline.exchange_norms()
    wanted, log, died = pipeline.lists(), list(pipeline.log), data.draw(st.integers(0, shards - 1))

    dying = Pipeline(shards, cap, ListRule(100), decay=decay)
    dying.log = list(log)
    stored_at = data.draw(st.integers(0, len(log[died])))
    dying.store_at(died, stored_at)
    shard = dying.rows[died]
    names, applied_offsets = list(shard.registry.ids), shard.applied_offsets.as_dict()
    stored = dict(shard.norms.packed_changes(stored_at))
    seen, taken = shard.norms_seen, shard.norms_taken
    ahead = data.draw(st.integers(stored_at, len(log[died])))
    dying.log[died] = log[died][:ahead]
    dying.drain(died)
    changes = shard.norms.packed_changes(ahead)
    stored |= dict(changes[: data.draw(st.integers(0, len(changes)))])
    # A row may include later messages than the norms that are stored with it.
    dying.log[died] = log[died][: data.draw(st.integers(ahead, len(log[died])))]
    dying.drain(died)
    dying.store(died, forget=False)

    packed = b"".join(stored[number] for number in range(len(stored)))
    shard = pipeline.rows[died] = Shard(
        died,
        shards,
        ListRule(100),
        "g",
        stored_at,
        Registry(names),
        NormsAndRows.unpack(packed, decayed=True),
        AppliedOffsets(applied_offsets),
        norms_seen=seen,
        norms_taken=taken,
    )
    pipeline.read[died], pipeline.stored[died] = stored_at, dying.stored[died]
    if data.draw(st.booleans()):
        # As an owner does that has not read on.
        pipeline.take_norms(died)
        log[died] = list(pipeline.log[died])
    pipeline.load(died, np.array([row for row in dying.stored[died] if row < len(names)], np.int32))
    present = np.flatnonzero(shard.rows.present).astype(np.int32)
    shard.rows.with_neighbours(present, np.ones(len(shard.owned), np.bool_))
    while pipeline.read[died] < len(log[died]):
        step = data.draw(st.integers(1, 9))
        pipeline.log[died] = log[died][: pipeline.read[died] + step]
        pipeline.drain(died)
    pipeline.log[died] = log[died]

    assert not shard.is_replaying
    straight = Pipeline(shards, cap, ListRule(100), decay=decay)
    straight.log = list(log)
    straight.drain(died)
    for name in ("item", "era"):
        found, true = (getattr(eras_of(one, died), name) for one in (pipeline, straight))
        np.testing.assert_array_equal(found, true)
    assert pipeline.lists().keys() == wanted.keys()
    assert_as_defined(pipeline, oracle.faded(acts, cap, half_life_s, 100), 100)


@given(st.data(), years(), st.integers(1, 4))
def test_rows_that_come_and_go_and_deltas_that_come_twice_change_nothing(
    data: st.DataObject, acts: list[Act], cap: int
) -> None:
    """A row that was stored and dropped continues as before; applied offsets drop copies."""
    half_life_s = 86_400.0
    pipeline = Pipeline(2, cap, ListRule(100), decay=Decay(half_life_s))
    for part in data.draw(portions(acts)):
        pipeline.take(part)
        number = data.draw(st.integers(0, 1))
        log = pipeline.log[number]
        log += log[data.draw(st.integers(0, len(log))) :]
        pipeline.drain(number)
        pipeline.store(number, forget=data.draw(st.booleans()))
    drain(pipeline)
    assert_as_defined(pipeline, oracle.faded(acts, cap, half_life_s, 100), 100)


@pytest.mark.parametrize("half_life_s", [86_400.0, 30 * 86_400.0])
@pytest.mark.parametrize("shards", [1, 3])
def test_what_is_years_old_is_as_exact_when_all_that_was_recent_has_left(
    half_life_s: float, shards: int
) -> None:
    """Ten years of visitors, then a busy day of others, who are evicted or forgotten."""
    pipeline = Pipeline(shards, 3, ListRule(100), decay=Decay(half_life_s))
    acts: list[Act] = []

    def take(*some: Act) -> None:
        acts.extend(some)
        pipeline.take(list(some))
        drain(pipeline)

    for month in range(120):
        at, year = START + month * YEAR_S / 12, month // 12
        take(
            Act(f"u{month}", f"a{year}", 1.0, at),
            Act(f"u{month}", f"{'bc'[month % 2]}{year}", WEIGHTS[month % 3], at + 3_600.0),
            Act(f"u{month}", f"d{year}", 3.0, at - 86_400.0 * (month % 5)),
        )
        if month % 30 != 29:
            continue
        crowd = [(f"{name}{month}-{past}", past) for past in range(year + 1) for name in "xy"]
        for user, past in crowd:
            take(*(Act(user, f"{name}{past}", 5.0, at) for name in "abcd"[user[0] == "x" :][:3]))
        assert_as_defined(pipeline, oracle.faded(acts, 3, half_life_s, 100), 100)
        gone = {user for user, _ in crowd if user[0] == "x"}
        pipeline.forget(sorted(gone))
        drain(pipeline)
        acts = [act for act in acts if act.user not in gone]
        for user, _ in crowd:
            if user not in gone:
                take(*(Act(user, f"late-{name}", 1.0, at + 9_000.0) for name in "abc"))
        assert_as_defined(pipeline, oracle.faded(acts, 3, half_life_s, 100), 100)


def test_nothing_overflows_from_the_first_event_of_1970_to_the_last_of_this_century() -> None:
    """A million half-lives between two events of one history, with the extreme weights."""
    half_life_s, last = 3_600.0, 4_102_444_800.0
    acts = [
        Act("u", "old", 5e-324, 0.0),
        Act("u", "new", 999_999.0, last),
        Act("v", "old", 1.0, 3_600.0),
        Act("v", "other", 1.0, 7_200.0),
    ]
    pipeline = Pipeline(1, 3, ListRule(5), decay=Decay(half_life_s))
    with np.errstate(all="raise"):
        pipeline.take(acts)
        pipeline.drain(0)
        assert_as_defined(pipeline, oracle.faded(acts, 3, half_life_s, 100), 5)
    levels = Decay(half_life_s).levels(np.array([5e-324]), np.zeros(1))
    assert (levels > 0).all()


@pytest.mark.parametrize("measure", MEASURES)
@given(st.data(), years(), st.sampled_from([1, 2, 9]), st.integers(1, 2))
def test_what_is_published_after_a_sweep_is_what_there_is(
    measure: Measure, data: st.DataObject, acts: list[Act], cap: int, shards: int
) -> None:
    """Changed rows, and rows with changed norms by a sweep, no others; some items are hidden.

    Measures of users do not fade.
    """
    rule = ListRule(data.draw(st.integers(1, 3)), measure=measure)
    pipeline = Pipeline(shards, cap, rule, decay=Decay(30 * 86_400.0))
    published: Published = {}
    done: list[Act] = []
    hidden: dict[str, bool] = {}
    items = st.sampled_from(sorted({act.item for act in acts} | {"unseen"}))
    for part in data.draw(portions(acts)):
        turned = data.draw(st.dictionaries(items, st.booleans(), max_size=3))
        pipeline.tell(turned)
        hidden |= turned
        pipeline.take(part)
        done += part
        for number in range(shards):
            pipeline.drain(number)
            publish_dirty(pipeline, number, published)
            if data.draw(st.booleans()):
                pipeline.store(number, forget=True)
        if data.draw(st.booleans()):
            continue
        pipeline.exchange_norms()
        for number in range(shards):
            sweep(pipeline, number, published)
        assert published == pipeline.lists()
        if measure != "cosine":
            gone = [item for item in hidden if hidden[item]]
            assert published == oracle.lists(done, cap, rule.top_n, measure=measure, hidden=gone)


def test_an_item_that_someone_forgets_enters_lists_that_did_not_hold_it() -> None:
    """No user's pair with i changes, but j is rarer than before, and newer than k."""
    pipeline, published = Pipeline(1, 2, ListRule(1), decay=Decay(3_600.0)), Published()
    pairs = (("w", "i"), ("w", "k"), ("v", "i"), ("v", "j"), ("u", "j"), ("u", "x"), ("u", "y"))
    acts = [Act(user, item, 1.0, START + 60.0 * n) for n, (user, item) in enumerate(pairs)]
    listed = []
    for part in (acts[:-1], acts[-1:]):
        pipeline.take(part)
        pipeline.drain(0)
        publish_dirty(pipeline, 0, published)
        sweep(pipeline, 0, published)
        ((name, _, _),) = published["i"]
        listed.append(name)
    assert listed == ["k", "j"]
    assert published == pipeline.lists()
