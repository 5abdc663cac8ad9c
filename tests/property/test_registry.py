"""Items get numbers in order of first appearance, whatever is in their ids."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from streamapp.core.ids.registry import Registry, shard_of

# Every text that UTF-8 can write.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(st.lists(st.lists(texts)), st.integers(1, 300))
def test_numbers_text_and_shards_are_those_of_one_id_at_a_time(
    parts: list[list[str]], shards: int
) -> None:
    """Known and unknown ids, ids that come twice, and ids of any length are numbered together."""
    registry, expected = Registry(), dict[str, int]()
    for ids in parts:
        want = [expected.setdefault(item, len(expected)) for item in ids]
        assert registry.number(ids).tolist() == want
    assert registry.ids == list(expected)
    text, ends = registry.text
    held = [bytes(text[ends[n] : ends[n + 1]]).decode() for n in range(len(expected))]
    assert held == list(expected)
    numbers = np.arange(len(expected), dtype=np.int32)
    assert registry.shards(shards, numbers).tolist() == [shard_of(i, shards) for i in expected]
