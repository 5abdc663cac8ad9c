"""The list cache against a dictionary of lists, for any lists in any order."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamapp.core.arrays.array_types import Ints
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.list_cache import ListCache
from streamapp.core.lists.list_format import ScoredEntry, ScoredList
from tests.support.strategies import ids

READS = st.lists(
    st.tuples(
        st.floats(0, 9),
        st.dictionaries(st.integers(0, 40), st.lists(ids, max_size=6, unique=True), min_size=1),
    ),
    max_size=8,
)
"""When lists were read, and their content, by number."""


def listed(cache: ListCache, registry: Registry, number: int) -> list[tuple[str, float]]:
    """Return the list in the form that `blend` reads."""
    lists = cache.neighbours
    line = lists.row[number]
    place = slice(lists.starts[line], lists.ends[line])
    names = [registry.ids[item] for item in lists.item[place].tolist()]
    return list(zip(names, lists.score[place].tolist(), strict=True))


def numbers_of(some: Any) -> Ints:
    """Return numbers as an array."""
    return np.array(list(some), np.int32)


@given(READS)
def test_the_cache_holds_the_list_that_was_asked_for_last(
    reads: list[tuple[float, dict[int, list[str]]]],
) -> None:
    """A changed list has a version above all earlier ones; an unchanged list keeps its own."""
    registry, version = Registry(), 0
    cache = ListCache(registry)
    model: dict[int, tuple[float, list[str], int]] = {}
    for read_at, found in reads:
        numbers = numbers_of(found)
        old = [number for number in found if number not in model or model[number][0] <= read_at]
        assert cache.stale(numbers, read_at).tolist() == old
        digests = np.array([hash(tuple(items)) for items in found.values()], np.int64)
        changed = cache.changed(numbers, digests, read_at)
        for number, items, other in zip(found, found.values(), changed.tolist(), strict=True):
            before = model.get(number)
            assert other == (before is None or (before[0] <= read_at and before[1] != items))
            if other:
                version += 1
                model[number] = read_at, items, version
            elif before is not None:
                model[number] = max(before[0], read_at), *before[1:]
        lists = [
            ScoredList(
                [ScoredEntry(item, float(place)) for place, item in enumerate(items)], read_at
            )
            for items, other in zip(found.values(), changed.tolist(), strict=True)
            if other
        ]
        count = int(changed.sum())
        cache.store(numbers[changed], digests[changed], lists, read_at, version - count)
        for number, (_, items, made) in model.items():
            expected = [(item, float(place)) for place, item in enumerate(items)]
            assert listed(cache, registry, number) == expected
            assert cache.get(number).items.tolist() == registry.number(items).tolist()
            assert cache.get(number).version == made
            assert cache.version[cache.line[number]] == made
        assert cache.size >= sum(len(items) for _, items, _ in model.values())


def test_a_list_that_changes_takes_no_more_room_where_it_fits() -> None:
    """So memory grows with the lists, and not with their changes."""
    registry = Registry()
    cache, number = ListCache(registry), numbers_of([3])
    for turn in range(100):
        digests = np.array([turn], np.int64)
        cache.stale(number, 0.0)
        assert cache.changed(number, digests, float(turn)).all()
        items = [ScoredEntry(f"{turn}-{place}", 1.0) for place in range(20)]
        cache.store(number, digests, [ScoredList(items, float(turn))], float(turn), turn)
    assert cache.size == 20
