"""The rank of one item, computed without a list, against the list itself."""

from hypothesis import given
from hypothesis import strategies as st

from loadtest.evaluation.engine import Counting, Counts, Engine
from loadtest.evaluation.places import Places
from loadtest.evaluation.similarities import Similarity
from loadtest.evaluation.variant import Variant
from streamapp.core.histories.profiles import Profiles
from streamapp.core.lists.ranking import ListRule
from tests.property.test_blending import blends
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline
from tests.support.strategies import streams

CAP = 6

similarities = st.builds(
    Similarity,
    damping=st.sampled_from([0.0, 1.0, 20.0]),
    alpha=st.sampled_from([0.0, 0.3, 0.5, 0.7]),
    binary=st.booleans(),
    neighbours=st.sampled_from([None, None, 2]),
)


def everywhere(places: Places, counts: Counts, profiles: Profiles) -> list[int]:
    """Return the rank of every item, and of an unknown one."""
    return [places.place(profiles, item) for item in range(-1, len(counts.registry))]


def listed(counts: Counts, profiles: Profiles, variant: Variant) -> list[int]:
    """Return the same, from the list."""
    line = counts.lists(profiles, variant)[0].tolist()
    known = range(len(counts.registry))
    return [0, *(line.index(item) + 1 if item in line else 0 for item in known)]


@given(streams(), st.builds(Variant, similarities, blends), st.data())
def test_the_place_of_an_item_is_that_in_the_list_at_every_moment(
    acts: list[Act], variant: Variant, data: st.DataObject
) -> None:
    """For live counts as they change, and for counts frozen before the history went on."""
    engine = Engine(Counting(CAP))
    counts = engine.counts
    places, frozen = Places(counts, variant), engine.frozen()
    asleep = Places(frozen, variant)
    freeze = data.draw(st.integers(0, len(acts)))
    for number, act in enumerate(acts):
        profiles = engine.profiles([act.user])
        assert everywhere(places, counts, profiles) == listed(counts, profiles, variant)
        assert everywhere(asleep, frozen, profiles) == listed(frozen, profiles, variant)
        if number == freeze:
            frozen = engine.frozen()
            asleep = Places(frozen, variant)
        engine.learn(act.user, act.item, act.weight, act.ts)


@given(streams())
def test_what_is_learnt_one_by_one_counts_as_in_the_app(acts: list[Act]) -> None:
    """Dots, supports and norms of the pipeline that takes cuts."""
    engine, pipeline = Engine(Counting(CAP)), Pipeline(1, CAP, ListRule(3))
    for act in acts:
        engine.learn(act.user, act.item, act.weight, act.ts)
        pipeline.take([act])
    pipeline.drain(0)
    shard = pipeline.rows[0]
    assert engine.counts.registry.ids == pipeline.registry.ids
    assert engine.histories == pipeline.histories
    theirs = {name: number for number, name in enumerate(shard.registry.ids)}
    for number, name in enumerate(engine.counts.registry.ids):
        if number < len(engine.counts.rows.size):
            if name not in theirs:
                # An item that was evicted at once is in no delta, and the engine has one registry.
                assert engine.counts.norms.sum_sq[number] == 0
                assert row(engine.counts, number) == {}
                continue
            assert engine.counts.norms.sum_sq[number] == shard.norms.sum_sq[theirs[name]]
            assert row(engine.counts, number) == row(
                Counts(shard.rows, shard.norms, shard.registry), theirs[name]
            )


def row(counts: Counts, number: int) -> dict[str, tuple[int, float]]:
    """Return support and dot of the row of an item by the other item."""
    starts, sizes, items, supports, dots = counts.rows.cells
    cells = range(starts[number], starts[number] + sizes[number])
    ids = counts.registry.ids
    return {ids[items[cell]]: (int(supports[cell]), float(dots[cell])) for cell in cells}
