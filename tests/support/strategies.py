"""Streams of interactions that no author would think of."""

import math
import os

from hypothesis import settings
from hypothesis import strategies as st

from tests.support.oracle import Act

_FULL = os.environ.get("STREAMAPP_TEST_FULL") == "1"

WEIGHTS = (1.0, 3.0, 5.0)

_times = st.integers(1_000_000_000, 1_000_000_020).map(float)

days = st.builds(
    lambda day, second: 86_400.0 * day + second,
    st.integers(11_574, 11_577),
    st.sampled_from([0.0, 1.0, 40_000.0, 86_399.5]),
)
"""Times on a few days, some at their ends."""

ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)


def examples(most: int) -> settings:
    """Return settings: `make test-full` tries a property this often, other runs a third of it."""
    return settings(max_examples=most if _FULL else most // 3)


@st.composite
def streams(
    draw: st.DrawFn, max_size: int = 60, times: st.SearchStrategy[float] = _times
) -> list[Act]:
    """Draw acts of a few users on a few items: repeats, several types, late events, equal times."""
    users = draw(st.lists(ids, min_size=1, max_size=4, unique=True))
    items = draw(st.lists(ids, min_size=1, max_size=8, unique=True))
    act = st.builds(
        Act,
        user=st.sampled_from(users),
        item=st.sampled_from(items),
        weight=st.sampled_from(WEIGHTS),
        ts=times,
        kind=st.just(""),
        order=st.just(""),
        into=st.just(""),
    )
    return draw(st.lists(act, min_size=1, max_size=max_size))


@st.composite
def fickle_streams(
    draw: st.DrawFn,
    max_size: int = 60,
    min_size: int = 1,
    times: st.SearchStrategy[float] = _times,
) -> list[Act]:
    """Draw acts of which some take others back: of items, of orders, of items in orders, of users.

    A history remembers fewer orders than there are here, so some draws run over that too.
    """
    users = draw(st.lists(ids, min_size=1, max_size=3, unique=True))
    items = st.sampled_from(draw(st.lists(ids, min_size=1, max_size=5, unique=True)))
    orders = st.sampled_from(["", "o1", "o2", *(f"order {number}" for number in range(9))])

    def acts(
        kind: str, weight: float, item: st.SearchStrategy[str], order: st.SearchStrategy[str]
    ) -> st.SearchStrategy[Act]:
        return st.builds(
            Act,
            st.sampled_from(users),
            item,
            st.just(weight),
            times,
            st.just(kind),
            order,
            st.just(""),
        )

    none = st.just("")
    one_of = st.one_of(
        acts("click", 1.0, items, none),
        acts("add_to_cart", 3.0, items, none),
        acts("purchase", 5.0, items, orders),
        acts("purchase", 5.0, items, orders),
        acts("remove_from_cart", 0.0, items, none),
        acts("refund", 0.0, items, orders),
        acts("refund", 0.0, none, orders.filter(bool)),
        acts("hide", 0.0, items, none),
        acts("unhide", 0.0, items, none),
        acts("forget", 0.0, none, none).map(lambda act: act._replace(ts=-math.inf)),
    )
    return draw(st.lists(one_of, min_size=min_size, max_size=max_size))


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
