"""Comparing trending items, in all and by category, with log and catalogue."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import pytest

from streamapp.audit.comparison import Comparison
from streamapp.audit.log import LogInteractions
from streamapp.audit.trending import compare_categories, compare_trending

NOW = 1_700_000_000.0
HALF_LIFE_S = 100.0
CATEGORY_OF = {"a": "tents", "b": "tents", "c": "tents", "d": "lamps", "x": "", "unseen": "pots"}
ACTS = [("a", 1.0, 0), ("a", 1.0, -1), ("b", 1.0, -1), ("c", 3.0, -2), ("d", 1.0, -3),
        ("x", 9.0, 1), ("nowhere", 9.0, 0)]  # fmt: skip
RIGHT = {
    "tents": (0, [("a", 1.5), ("c", 0.75), ("b", 0.5)]),
    "lamps": (-3, [("d", 1.0)]),
}

Lists = Mapping[str, Any]


def log() -> LogInteractions:
    """Return acts of one user: item, weight, and when, in half-lives from now."""
    items = list(dict.fromkeys(item for item, _, _ in ACTS))
    return LogInteractions(
        ["u"], items, np.zeros(len(ACTS), np.int32),
        np.array([items.index(item) for item, _, _ in ACTS], np.int32),
        np.array([weight for _, weight, _ in ACTS]),
        np.array([NOW + half_lives * HALF_LIFE_S for _, _, half_lives in ACTS]), {}, {},
    )  # fmt: skip


def written(category: str, half_lives: float, entries: list[tuple[str, float]]) -> bytes:
    """Return a stored list."""
    items = [{"id": item, "score": score} for item, score in entries]
    as_of = NOW + half_lives * HALF_LIFE_S
    return orjson.dumps(
        {"v": 1, "kind": "trending", "id": category, "seq": 7, "as_of": as_of, "items": items}
    )


def compared(
    lists: Lists, top_n: int = 5, hidden: set[str] | None = None, tolerance: float = 0.0
) -> Comparison:
    """Compare lists."""
    content = {name: written(name, *one) for name, one in lists.items()}
    out = hidden or set()
    return compare_categories(log(), content, CATEGORY_OF, HALF_LIFE_S, top_n, out, tolerance)


def test_right_lists_are_right_as_of_their_own_time() -> None:
    """A list is made again when an event happens in its category, and not when time passes."""
    found = compared(RIGHT)
    assert (found.compared, found.different, found.examples) == (2, 0, [])
    tents = [(item, score / 2) for item, score in RIGHT["tents"][1]]
    assert compared(RIGHT | {"tents": (1, tents)}).different == 0


def test_what_is_hidden_and_what_is_behind_the_end_is_in_no_list() -> None:
    """The others move up; a category of hidden items has no list."""
    lists = {"tents": (-1, [("c", 1.5), ("b", 1.0)])}
    assert compared(lists, hidden={"a", "d"}).different == 0
    assert (
        compared({"tents": (0, RIGHT["tents"][1][:2]), "lamps": RIGHT["lamps"]}, 2).different == 0
    )


@pytest.mark.parametrize(
    ("lists", "name", "found"),
    [
        ({"tents": RIGHT["tents"]}, "lamps", "no list"),
        (RIGHT | {"pots": (0, [("unseen", 1.0)])}, "pots", "1 entries instead of 0"),
        (RIGHT | {"": (0, [("x", 9.0)])}, "", "1 entries instead of 0"),
        (
            RIGHT | {"tents": (0, [("a", 1.5), ("b", 0.5), ("c", 0.75)])},
            "tents",
            "not in the order",
        ),
        (RIGHT | {"tents": (0, [("a", 1.5), ("c", 0.75)])}, "tents", "2 entries instead of 3"),
        (RIGHT | {"tents": (0, [("a", 2.5), ("c", 0.75), ("b", 0.5)])}, "tents", "a scores 2.5"),
        (RIGHT | {"lamps": (0, [("d", 0.125), ("a", 0.1)])}, "lamps", "2 entries instead of 1"),
        (RIGHT | {"lamps": (-4, [("d", 2.0)])}, "lamps", "the newest event is of"),
        (RIGHT | {"lamps": (2, [("d", 2**-5)])}, "lamps", "the newest event is of"),
    ],
)
def test_one_that_is_missing_one_too_many_and_one_that_is_wrong_is_found(
    lists: Lists, name: str, found: str
) -> None:
    """And named."""
    result = compared(lists)
    assert result.different == 1
    (difference,) = result.examples
    assert difference.where == f"list of what is trending in {name}"
    assert found in difference.found


def test_a_list_that_says_it_is_another_and_one_that_is_none_are_found() -> None:
    """With any entries."""
    content = {name: written(name, *one) for name, one in RIGHT.items()}
    for wrong in (written("lamps", *RIGHT["tents"]), b"{", b"[]", written("tents", 0, [])):
        lists = {**content, "tents": wrong}
        assert compare_categories(log(), lists, CATEGORY_OF, HALF_LIFE_S, 5, ()).different == 1


def test_without_a_half_life_there_is_to_be_no_list() -> None:
    """In no category."""
    content = {name: written(name, *one) for name, one in RIGHT.items()}
    assert compare_categories(log(), content, CATEGORY_OF, 0.0, 5, ()).different == 2
    assert compare_categories(log(), {}, CATEGORY_OF, 0.0, 5, ()) == Comparison()


def test_the_list_of_all_is_as_of_the_newest_event() -> None:
    """Neither later nor earlier, and it has no category."""
    best = [("x", 9.0), ("nowhere", 4.5)]
    assert compare_trending(log(), written("", 1, best), HALF_LIFE_S, 2).different == 0
    for category, half_lives in (("", 0), ("", 2), ("tents", 1)):
        content = written(category, half_lives, best)
        assert compare_trending(log(), content, HALF_LIFE_S, 2).different == 1


def test_with_a_tolerance_lists_may_be_older() -> None:
    """The truth at their own time differs by a share of the listed scores."""
    at = {half_lives: (half_lives, [("d", 2.0 ** (-3 - half_lives))]) for half_lives in (-5, -104)}
    assert compared(RIGHT | {"lamps": at[-5]}).different == 1
    assert compared(RIGHT | {"lamps": at[-5]}, tolerance=0.01).different == 0
    assert compared(RIGHT | {"lamps": at[-104]}, tolerance=0.01).different == 1
    tents = [("a", 1.51), ("c", 0.745), ("b", 0.5)]
    assert compared(RIGHT | {"tents": (0, tents)}, tolerance=0.01).different == 0
    assert compared(RIGHT | {"tents": (0, tents)}, tolerance=0.001).different == 1

    best = [("x", 72.0), ("nowhere", 36.3)]
    content = written("", -2, best)
    for tolerance, different in ((0.0, 1), (0.001, 1), (0.01, 0)):
        found = compare_trending(log(), content, HALF_LIFE_S, 2, (), tolerance)
        assert found.different == different, tolerance
    content = written("", -100, [(item, score * 2.0**98) for item, score in best])
    assert compare_trending(log(), content, HALF_LIFE_S, 2, (), 0.01).different == 1
