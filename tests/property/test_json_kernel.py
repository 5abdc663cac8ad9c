"""Lists from machine code, byte for byte those of an encoder that takes dicts."""

from itertools import combinations
from typing import Any

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from streamapp.core.ids.registry import Registry
from streamapp.core.ids.role_registry import RoleRegistry
from streamapp.core.lists import json_kernel as entries
from streamapp.core.lists.blending import Blended
from streamapp.core.lists.list_digest import list_digests
from streamapp.core.lists.list_format import encode_item_lists, encode_user_lists, entries_of
from streamapp.core.lists.ranking import Ranking

ROOM = 3
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ['"', "\\", "\x00\x1f\x7f", "\b\t\n\f\r", "ü€𝄞", "a" * 300]
)
scores = st.floats(0, allow_nan=False, allow_infinity=False)
supports = st.integers(0, 2**31 - 1)
Entry = tuple[int, float, int]


@st.composite
def shops(draw: st.DrawFn) -> tuple[list[str], list[tuple[int, float, list[Entry]]]]:
    """Names of items, and lines: an index, a time, and (index, score, support) of each entry."""
    ids = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    places = st.integers(0, len(ids) - 1)
    entries = st.lists(st.tuples(places, scores, supports), max_size=ROOM)
    lines = st.lists(st.tuples(places, st.floats(0, 1e12), entries), max_size=5)
    return ids, draw(lines)


def filled(lines: list[list[Any]], empty: float, kind: type) -> np.ndarray:
    """Return one line each, with space for all."""
    rows = [[*line, *[empty] * (ROOM - len(line))] for line in lines]
    return np.array(rows, kind).reshape(len(rows), ROOM)


def columns(lines: list[list[Entry]]) -> tuple[np.ndarray, ...]:
    """Return sizes, items, scores and the third, one line each."""
    return (
        np.array([len(line) for line in lines], np.int32),
        filled([[one[0] for one in line] for line in lines], -1, np.int32),
        filled([[one[1] for one in line] for line in lines], 0, np.float64),
        filled([[one[2] for one in line] for line in lines], 0, np.int32),
    )


def slow(kind: str, owner: str, seq: int, as_of: float, items: list[dict[str, Any]]) -> bytes:
    """Return a list as an encoder writes it."""
    if not items:
        return b""
    whole = {"v": 1, "kind": kind, "id": owner, "seq": seq, "as_of": as_of, "items": items}
    return orjson.dumps(whole)


@given(shops(), st.integers(0, 2**53), st.booleans())
def test_lists_of_items(
    shop: tuple[list[str], list[tuple[int, float, list[Entry]]]], seq: int, has_roles: bool
) -> None:
    """An entry has its support; if the first entry has none, all entries come from content."""
    ids, lines = shop
    registry = RoleRegistry([f"v:{name}" for name in ids]) if has_roles else Registry(ids)
    as_of = np.zeros(len(ids))
    expected = []
    for place, time, found in lines:
        as_of[place] = time
        of_content = bool(found) and not found[0][2]
        items = [
            {"id": ids[item], "score": score, "support": support}
            | ({"reason": "content"} if of_content else {})
            for item, score, support in found
        ]
        expected.append((place, items))
    size, item, score, support = columns([found for _, _, found in lines])
    ranking = Ranking(size, item, score, support, np.zeros(len(lines), np.int64))
    numbers = np.array([place for place, _, _ in lines], np.int32)
    assert encode_item_lists(numbers, ranking, seq, as_of, registry, "item") == [
        (ids[place], slow("item", ids[place], seq, float(as_of[place]), items))
        for place, items in expected
    ]


@given(shops(), st.integers(0, 2**53), st.data())
def test_lists_for_users(
    shop: tuple[list[str], list[tuple[int, float, list[Entry]]]], seq: int, data: st.DataObject
) -> None:
    """An entry names the item behind it, or that it is trending."""
    ids, found = shop
    users = [data.draw(names) for _ in found]
    reasons = st.integers(-1, len(ids) - 1)
    lines = [[(item, score, data.draw(reasons)) for item, score, _ in some] for _, _, some in found]
    times = np.array([time for _, time, _ in found])
    blended = Blended(*columns(lines))
    assert encode_user_lists(users, blended, seq, times, Registry(ids)) == [
        slow("user", user, seq, time, [
            {"id": ids[item], "score": score, "reason": "similar", "because": ids[because]}
            if because >= 0
            else {"id": ids[item], "score": score, "reason": "trending"}
            for item, score, because in line
        ])
        for user, time, line in zip(users, times.tolist(), lines, strict=True)
    ]  # fmt: skip


@given(st.data())
def test_digests_are_equal_where_the_entries_of_lists_are(data: st.DataObject) -> None:
    """Values beyond the end of a line do not count."""
    few = st.tuples(st.integers(0, 2), st.sampled_from([0.25, 0.5]), st.integers(-1, 2))
    lines = data.draw(st.lists(st.lists(few, max_size=ROOM), min_size=2, max_size=12))
    size, item, score, because = columns(lines)
    for line, full in enumerate(size.tolist()):
        item[line, full:], because[line, full:] = line, line
    blended = Blended(size, item, score, because)
    users, times = ["u"] * len(lines), np.arange(len(lines), dtype=np.float64)
    contents = encode_user_lists(users, blended, 1, times, Registry(["a", "b", "c"]))
    told = [entries_of(content) for content in contents]
    found = list_digests(*blended).tolist()
    for one, other in combinations(range(len(lines)), 2):
        assert (found[one] == found[other]) == (told[one] == told[other])


def test_they_are_written_by_machine_code() -> None:
    """And not by Python, as when compilers are switched off."""
    encode_user_lists([], Blended(*columns([])), 1, np.zeros(0), Registry())
    write: Any = entries._write
    assert write.dispatcher.signatures
