"""A shelf against a dictionary of lists: whatever is put there, and in whatever order."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamapp.core.arrays.dtypes import Ints
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.list_cache import ListCache
from streamapp.core.lists.list_format import Scored, Scores
from tests.support.strategies import ids

READS = st.lists(
    st.tuples(
        st.floats(0, 9),
        st.dictionaries(st.integers(0, 40), st.lists(ids, max_size=6, unique=True), min_size=1),
    ),
    max_size=8,
)
"""When lists were asked for, and what they were, by number."""


def listed(shelf: ListCache, registry: Registry, number: int) -> list[tuple[str, float]]:
    """Return the list as `blend` finds it."""
    lists = shelf.neighbours
    line = lists.row[number]
    place = slice(lists.starts[line], lists.ends[line])
    names = [registry.ids[item] for item in lists.item[place].tolist()]
    return list(zip(names, lists.score[place].tolist(), strict=True))


def numbers_of(some: Any) -> Ints:
    """Return numbers as an array."""
    return np.array(list(some), np.int32)


@given(READS)
def test_a_shelf_holds_the_list_that_was_asked_for_last(
    reads: list[tuple[float, dict[int, list[str]]]],
) -> None:
    """A list that is another one has a version above all before; one that is not keeps its own."""
    registry, version = Registry(), 0
    shelf = ListCache(registry)
    model: dict[int, tuple[float, list[str], int]] = {}
    for read_at, found in reads:
        numbers = numbers_of(found)
        old = [number for number in found if number not in model or model[number][0] <= read_at]
        assert shelf.stale(numbers, read_at).tolist() == old
        digests = np.array([hash(tuple(items)) for items in found.values()], np.int64)
        changed = shelf.changed(numbers, digests, read_at)
        for number, items, other in zip(found, found.values(), changed.tolist(), strict=True):
            before = model.get(number)
            assert other == (before is None or (before[0] <= read_at and before[1] != items))
            if other:
                version += 1
                model[number] = read_at, items, version
            elif before is not None:
                model[number] = max(before[0], read_at), *before[1:]
        lists = [
            Scores(read_at, [Scored(item, float(place)) for place, item in enumerate(items)])
            for items, other in zip(found.values(), changed.tolist(), strict=True)
            if other
        ]
        count = int(changed.sum())
        shelf.store(numbers[changed], digests[changed], lists, read_at, version - count)
        for number, (_, items, made) in model.items():
            expected = [(item, float(place)) for place, item in enumerate(items)]
            assert listed(shelf, registry, number) == expected
            assert shelf.get(number).items.tolist() == registry.number(items).tolist()
            assert shelf.get(number).version == made
            assert shelf.version[shelf.line[number]] == made
        assert shelf.size >= sum(len(items) for _, items, _ in model.values())


def test_a_list_that_changes_takes_no_more_room_where_it_fits() -> None:
    """So what is remembered grows with the lists, and not with their changes."""
    registry = Registry()
    shelf, number = ListCache(registry), numbers_of([3])
    for turn in range(100):
        digests = np.array([turn], np.int64)
        shelf.stale(number, 0.0)
        assert shelf.changed(number, digests, float(turn)).all()
        items = [Scored(f"{turn}-{place}", 1.0) for place in range(20)]
        shelf.store(number, digests, [Scores(float(turn), items)], float(turn), turn)
    assert shelf.size == 20
