"""Hidden items, and the trending items without them, are a function of the log of a shard."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamapp.core.arrays.array_types import NOTHING_HIDDEN
from streamapp.core.ids.registry import Registry
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.messages.catalogue_update import CatalogueUpdate, VisibilityChange
from streamapp.core.messages.popularity_increments import (
    PopularityIncrements,
    popularity_increments,
)
from streamapp.core.shard.visibility import VISIBILITY, Visibility
from streamapp.core.trending.popularity import Popular, Popularity

ITEMS = 6
NAMES = [f"i{number}" for number in range(ITEMS)]

turns = st.lists(st.tuples(st.sampled_from(NAMES[:2]), st.booleans()), max_size=12)


def changes(some: list[tuple[str, bool]]) -> list[VisibilityChange]:
    """Return changes, each with the offset of its index."""
    return [VisibilityChange(offset, item, hidden) for offset, (item, hidden) in enumerate(some)]


def hidden_of(found: Visibility, registry: Registry) -> dict[str, bool]:
    """Return for each item of a registry whether it is hidden."""
    return dict(zip(registry.ids, found.hidden.tolist(), strict=False))


@given(turns, st.data())
def test_copies_and_other_cuts_of_the_same_changes_hide_the_same(
    some: list[tuple[str, bool]], data: st.DataObject
) -> None:
    """The next owner sends again with other cuts after a death; a late owner sends too."""
    whole, applied_offsets = changes(some), AppliedOffsets()
    registry, found = Registry(NAMES), Visibility()
    sent = 0
    for offset in range(data.draw(st.integers(1, 8))):
        start = data.draw(st.integers(0, sent))
        end = data.draw(st.integers(start, len(whole)))
        sent = max(sent, end)
        news = CatalogueUpdate("g", 0, whole[start:end]).new_changes(applied_offsets)
        found.apply(news, offset, registry)
    found.apply(CatalogueUpdate("g", 0, whole[sent:]).new_changes(applied_offsets), 99, registry)
    found.reserve(ITEMS)
    assert hidden_of(found, registry) == dict.fromkeys(NAMES, False) | dict(some)
    assert found.count == found.hidden.sum()


@given(turns, st.data())
def test_what_is_stored_ahead_is_right_in_the_end_and_all_that_may_differ_is_named(
    some: list[tuple[str, bool]], data: st.DataObject
) -> None:
    """A worker dies between its records and its position; the next one reads the notices again."""
    whole, registry, before = changes(some), Registry(NAMES), Visibility()
    stored_at = data.draw(st.integers(0, len(whole)))
    ahead = data.draw(st.integers(stored_at, len(whole)))
    before.reserve(ITEMS)
    packed = np.zeros(ITEMS, VISIBILITY)
    for change in whole[:stored_at]:
        before.apply([change], change.offset, registry)
    written, then = before.packed_changes(stored_at), before.hidden.copy()
    for change in whole[stored_at:ahead]:
        before.apply([change], change.offset, registry)
    further = before.packed_changes(ahead)
    written += further[: data.draw(st.integers(0, len(further)))]
    for number, record in written:
        packed[number] = np.frombuffer(record, VISIBILITY)[0]

    after, concerned = Visibility(packed.tobytes()), set[int]()
    for change in whole[stored_at:]:
        concerned |= set(after.apply([change], change.offset, registry).tolist())
    assert hidden_of(after, registry) == dict.fromkeys(NAMES, False) | dict(some)
    assert set(np.flatnonzero(then != after.hidden).tolist()) <= concerned
    assert after.count == after.hidden.sum()


def test_an_item_that_nobody_knows_is_numbered_only_where_it_is_hidden() -> None:
    """A large catalogue of available items takes no memory in a shard."""
    registry, found = Registry(), Visibility()
    assert not found.apply([VisibilityChange(0, "new", hidden=False)], 0, registry).size
    assert found.apply([VisibilityChange(1, "old", hidden=True)], 1, registry).tolist() == [0]
    assert registry.ids == ["old"]
    assert not Visibility().mask.size
    assert found.mask.tolist() == [True]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.integers(0, ITEMS - 1), st.sampled_from([1.0, 3.0, 5.0])),
            st.tuples(st.integers(0, ITEMS - 1), st.booleans()),
        ),
        max_size=40,
    ),
    st.integers(1, 4),
)
def test_what_is_most_popular_leaves_out_what_is_hidden_and_is_refilled(
    steps: list[tuple[int, float | bool]], top_n: int
) -> None:
    """After every click and every change, read back from the store or not, it equals all."""
    registry, found = Registry(NAMES), Popularity(top_n)
    found.reserve(ITEMS)
    hidden, total = np.zeros(ITEMS, np.bool_), np.zeros(ITEMS)
    for offset, (item, step) in enumerate(steps):
        numbers = np.array([item], np.int32)
        if isinstance(step, bool):
            hidden[item] = step
            found.refresh_top(numbers, registry, hidden if hidden.any() else NOTHING_HIDDEN)
        else:
            total[item] += step
            found.add(_mass(numbers, step), offset, registry, hidden)
        best = sorted(np.flatnonzero((total > 0) & ~hidden), key=lambda one: (-total[one], one))
        expected = [(NAMES[one], total[one]) for one in best[:top_n]]
        assert [(one.item, one.at(0.0, 60.0)) for one in found.top] == expected
        stored = b"".join(record for _, record in _everything(found, offset))
        assert Popularity.unpack(stored, top_n, registry, hidden).top == found.top


def test_an_item_that_is_hidden_makes_room_for_the_next() -> None:
    """It keeps its popularity for when it is shown again."""
    registry, found = Registry(["a", "b", "c"]), Popularity(top_n=2)
    found.reserve(3)
    for item, weight in enumerate((5.0, 3.0, 1.0)):
        found.add(_mass(np.array([item], np.int32), weight), item, registry)
    tops = [names(found.top)]
    for hidden in ([True, False, False], [True, True, True], [False, False, True]):
        found.refresh_top(np.arange(3, dtype=np.int32), registry, np.array(hidden))
        tops.append(names(found.top))
    assert tops == [["a", "b"], ["b", "c"], [], ["a", "b"]]


def names(top: list[Popular]) -> list[str]:
    """Return the items of a list."""
    return [one.item for one in top]


def _mass(numbers: np.ndarray, weight: float) -> PopularityIncrements:
    return popularity_increments(numbers, np.array([weight]), np.zeros(1), 60.0, ITEMS)


def _everything(found: Popularity, position: int) -> list[tuple[int, bytes]]:
    found.unsaved[:] = True
    return found.packed_changes(position)
