"""A list without details: the same members in the same order, and nothing else."""

import hypothesis.strategies as st
import numpy as np
import orjson
import pytest
from hypothesis import given

from streamapp.core.ids.registry import Registry
from streamapp.core.lists.blending import Blended
from streamapp.core.lists.list_digest import list_digests
from streamapp.core.lists.list_format import (
    encode_item_lists,
    encode_trending,
    encode_user_lists,
    without_details,
)
from streamapp.core.lists.ranking import Ranking
from streamapp.core.trending.popularity import Popular

UNRULY = ['a","score":1', ',"as_of":7,', "b,", '"', "\\", ',"support":3}', "é{}"]
ids = st.one_of(st.sampled_from(UNRULY), st.text(st.characters(codec="utf-8"), min_size=1))


def bare(content: bytes) -> bytes:
    """Return a list without details, by way of a parser."""
    value = orjson.loads(content)
    del value["as_of"]
    for entry in value["items"]:
        for name in ("score", "support"):
            entry.pop(name, None)
    return orjson.dumps(value)


@given(st.lists(ids, min_size=2, max_size=5, unique=True), ids, st.floats(0, 1), st.integers(0, 9))
def test_whatever_ids_hold_only_details_are_left_out(
    names: list[str], owner: str, score: float, support: int
) -> None:
    """Of all kinds of lists."""
    registry, size = Registry(names), np.array([len(names) - 1], np.int32)
    item = np.arange(1, len(names), dtype=np.int32)[None, :]
    scores, about = np.full(item.shape, score), np.full(item.shape, support, np.int32)
    digests = list_digests(size, item, scores, about)
    as_of = np.full(len(names), 1.7e9)
    numbers = np.zeros(1, np.int32)
    ((_, of_item),) = encode_item_lists(
        numbers, Ranking(size, item, scores, about, digests), 7, as_of, registry
    )
    because = np.where(np.arange(item.shape[1]) % 2, -1, 0).astype(np.int32)[None, :]
    (of_user,) = encode_user_lists(
        [owner], Blended(size, item, scores, because), 8, as_of[:1], registry
    )
    popular = [Popular(name, 0.5, 1) for name in names]
    for content in (of_item, of_user, encode_trending(popular, 0.0, 9, 60.0, owner)):
        assert without_details(content) == bare(content)


@pytest.mark.parametrize("content", [b"", b"null"])
def test_what_is_no_list_stays(content: bytes) -> None:
    """A list that is removed has no bytes."""
    assert without_details(content) == content
