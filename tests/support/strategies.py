"""Streams of interactions that no author would think of."""

import os

from hypothesis import settings
from hypothesis import strategies as st

from tests.support.oracle import Act

_FULL = os.environ.get("STREAMAPP_TEST_FULL") == "1"

WEIGHTS = (1.0, 3.0, 5.0)

ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)


def examples(most: int) -> settings:
    """Return settings: `make test-full` tries a property this often, other runs a third of it."""
    return settings(max_examples=most if _FULL else most // 3)


@st.composite
def streams(draw: st.DrawFn, max_size: int = 60) -> list[Act]:
    """Draw acts of a few users on a few items: repeats, several types, late events, equal times."""
    users = draw(st.lists(ids, min_size=1, max_size=4, unique=True))
    items = draw(st.lists(ids, min_size=1, max_size=8, unique=True))
    act = st.builds(
        Act,
        user=st.sampled_from(users),
        item=st.sampled_from(items),
        weight=st.sampled_from(WEIGHTS),
        ts=st.integers(1_000_000_000, 1_000_000_020).map(float),
    )
    return draw(st.lists(act, min_size=1, max_size=max_size))


def portions(acts: list[Act]) -> st.SearchStrategy[list[list[Act]]]:
    """Draw a way to cut a stream into consecutive parts."""
    places = st.lists(st.integers(0, len(acts)), max_size=8).map(sorted)
    return places.map(
        lambda cuts: [
            acts[start:end]
            for start, end in zip([0, *cuts], [*cuts, len(acts)], strict=True)
            if start < end
        ]
    )
