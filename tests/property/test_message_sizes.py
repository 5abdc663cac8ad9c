"""Every message is bounded in bytes, and a change that is divided among messages is the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from streamapp.core.histories.decay import Decay
from streamapp.core.histories.history import Revisions
from streamapp.core.ids.registry import Registry
from streamapp.core.list_kinds import BOUGHT_AFTER_VIEW, ITEM
from streamapp.core.lists.blending import Blended
from streamapp.core.lists.list_format import encode_user_lists, most_bytes
from streamapp.core.lists.ranking import ListRule
from streamapp.core.messages import catalogue_update, rating_blocks
from streamapp.core.messages.catalogue_update import (
    VisibilityChange,
    decode_update,
    encode_updates,
)
from streamapp.core.messages.content_neighbours import (
    ContentNeighbour,
    ContentNeighbours,
    encode_content_neighbours,
)
from streamapp.core.messages.delta import Delta, Origin, decode_delta, encode_deltas
from streamapp.core.messages.interaction_batch import (
    InteractionBatchBuilder,
    Source,
    decode_interactions,
    encode_idle,
)
from streamapp.core.messages.message_size import MAX_MESSAGE_BYTES
from streamapp.core.messages.popularity_increments import PopularityIncrements
from tests.property.test_decay import HALF_LIVES_S, START, assert_as_defined, years
from tests.property.test_equivalence import acts_of, assert_equal_to_truth
from tests.support import oracle
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline
from tests.support.strategies import portions, streams

LONGEST = 512


def long_ids(count: int, letter: str = "i") -> list[str]:
    """Return ids of the greatest length."""
    return [f"{number}".rjust(LONGEST, letter) for number in range(count)]


@contextmanager
def small_parts() -> Iterator[None]:
    """Divide changes as if messages were tiny."""
    tiny: dict[str, Any] = {
        "PART_ENTRIES": 4,
        "PART_CELLS": 6,
        "PART_BYTES": 150,
        "_CHANGED_AT_ONCE": 2,
    }
    with patch.multiple(rating_blocks, **tiny):
        yield


@pytest.mark.parametrize("kind", [ITEM, BOUGHT_AFTER_VIEW])
@given(st.data(), streams(), st.integers(1, 8), st.integers(1, 3))
def test_changes_that_are_divided_count_to_the_last_integer(
    kind: str, data: st.DataObject, acts: list[Act], cap: int, shards: int
) -> None:
    """One user's change may take several messages, each with some of the history."""
    acts = acts_of(kind, acts)
    pipeline = Pipeline(shards, cap, ListRule(5), kind=kind)
    with small_parts():
        for part in data.draw(portions(acts)):
            pipeline.take(part)
    for number in range(shards):
        for at in range(len(pipeline.log[number]) + 1):
            pipeline.log[number], rest = pipeline.log[number][:at], pipeline.log[number][at:]
            pipeline.drain(number)
            pipeline.log[number] += rest
    assert_equal_to_truth(pipeline, acts)


@given(st.data(), years(), st.integers(1, 6), st.sampled_from(HALF_LIVES_S))
def test_changes_that_are_divided_decay_as_defined(
    data: st.DataObject, acts: list[Act], cap: int, half_life_s: float
) -> None:
    """With a half-life the dots are sums of floats."""
    pipeline = Pipeline(2, cap, ListRule(5), decay=Decay(half_life_s))
    with small_parts():
        for part in data.draw(portions(acts)):
            pipeline.take(part)
    for number in range(2):
        pipeline.drain(number)
    want = oracle.faded(acts, cap, half_life_s, 100)
    assert_as_defined(pipeline, want, 5)


def revisions(sizes: list[int], changed: int) -> tuple[Registry, Revisions]:
    """Return users with histories of these sizes, of long ids, and some new items for each."""
    registry = Registry(long_ids(sum(sizes) + changed * len(sizes)))
    starts = np.cumsum([0, *(size + changed for size in sizes)])
    total = int(starts[-1])
    before, after = np.ones(total), np.ones(total)
    for start in starts[:-1]:
        before[start : start + changed] = 0
    item = np.arange(total, dtype=np.int32)
    made = Revisions(starts, item, before, after, np.full(total, START), np.full(len(sizes), START))
    return registry, made


def masses(items: int) -> PopularityIncrements:
    """Return increments of the first items."""
    return PopularityIncrements(
        np.arange(items, dtype=np.int32), np.ones(items), np.zeros(items, np.int32), START
    )


def deltas(
    sizes: list[int], changed: int, popular: int = 0, shards: int = 1
) -> list[tuple[int, bytes]]:
    """Return the messages of such revisions."""
    registry, made = revisions(sizes, changed)
    registry.number(long_ids(popular))
    return list(encode_deltas(made, registry, shards, Origin("g", 0, 5), masses(popular)))


@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize(
    ("sizes", "changed", "popular"),
    [([100] * 420, 1, 0), ([40_000], 1, 0), ([10], 9_000, 9_000), ([], 0, 40_000)],
)
def test_deltas_of_the_longest_ids_fit_into_messages(
    sizes: list[int], changed: int, popular: int, shards: int
) -> None:
    """Of many users, of one with a giant history, of one with many events, and of trending items.

    Changed ratings go to the shards of all items of the history, and increments to one.
    """
    messages = deltas(sizes, changed, popular, shards)
    assert max(len(value) for _, value in messages) < MAX_MESSAGE_BYTES
    sequences: dict[int, list[int]] = {}
    held: list[Delta] = []
    for shard, value in messages:
        delta = decode_delta(value)
        sequences.setdefault(shard, []).append(delta.sequence)
        held.append(delta)
    assert all(found == sorted(set(found)) for found in sequences.values())
    items = sum(len(delta.columns[8]) // 4 for delta in held)
    assert items == popular


def test_a_user_with_everything_changes_a_bounded_number_of_cells_in_a_message() -> None:
    """A shard holds all changes of cells of one message in memory at a time."""
    registry, made = revisions([20_000], 5_000)
    for _, value in encode_deltas(made, registry, 1, Origin("g", 0, 5)):
        changed, kept = (len(decode_delta(value).columns[column]) // 4 for column in (1, 5))
        assert changed * (changed + kept) <= rating_blocks.PART_CELLS
        assert changed + kept <= rating_blocks.PART_ENTRIES


def test_updates_of_the_longest_ids_and_categories_fit_into_messages() -> None:
    """A category has 500 characters, of up to four bytes."""
    changes = [
        VisibilityChange(offset, item, hidden=False, category="\U0001f6d2" * 500)
        for offset, item in enumerate(long_ids(12_000))
    ]
    messages = list(encode_updates("g", 0, changes))
    assert max(map(len, messages)) < MAX_MESSAGE_BYTES
    assert [one for value in messages for one in decode_update(value).changes] == changes
    with patch.object(catalogue_update, "PART_BYTES", 1):
        assert len(list(encode_updates("g", 0, changes[:3]))) == 3


def test_requests_to_forget_users_fit_into_messages() -> None:
    """However many users are idle at once."""
    idle = [(user, START) for user in long_ids(35_000, "u")]
    messages = list(encode_idle("g", idle))
    assert max(map(len, messages)) < MAX_MESSAGE_BYTES
    assert [one for value in messages for one in decode_interactions(value).idle] == idle
    assert not list(encode_idle("g", []))


def test_content_neighbours_fit_into_messages() -> None:
    """The longest lists of the longest ids, as many as one message has."""
    names = long_ids(200)
    lists = [(name, [ContentNeighbour(other, 0.1) for other in names]) for name in names[:100]]
    message = ContentNeighbours("g" * 99, 2**62, lists)
    assert len(encode_content_neighbours(message)) < MAX_MESSAGE_BYTES


@pytest.mark.parametrize("top_n", [1, 20, 200])
def test_no_list_is_larger_than_what_its_topic_is_asked_for(top_n: int) -> None:
    """Ids of control characters have six bytes for each of theirs; numbers have all digits."""
    ids = [f"{number:03}".rjust(LONGEST, "\x01") for number in range(top_n)]
    item = np.arange(top_n, dtype=np.int32).reshape(1, -1)
    blended = Blended(np.array([top_n], np.int32), item, np.full((1, top_n), -1.7e-308 / 3), item)
    seq, as_of = 2**62, np.array([-1.7e-308 / 3])
    (written,) = encode_user_lists(["\x01" * LONGEST], blended, seq, as_of, Registry(ids))
    key = len(b"bought_after_view:") + LONGEST
    assert 6 * LONGEST * 2 * (top_n - 1) < len(written) + key <= most_bytes(top_n)


TEXTS = st.text(st.sampled_from("aé\U0001f600"), max_size=LONGEST // 4)
ADDED = st.tuples(TEXTS, TEXTS, st.sampled_from([0.0, 7.0]))


@given(st.lists(st.lists(ADDED, max_size=20), min_size=1, max_size=4))
def test_interaction_batches_have_no_more_bytes_than_their_builder_says(
    portions_: list[list[tuple[str, str, float]]],
) -> None:
    """Also when it is asked after every portion, and knows most texts already."""
    builder = InteractionBatchBuilder()
    for number, some in enumerate(portions_):
        builder.begin(Source("clicks", number, 1_000_000))
        for offset, (user, item, order) in enumerate(some):
            builder.add(offset, user, item, "click", 1.7e9, order)
            builder.skip(offset, user, item[:100])
            builder.count_dead_letter(offset)
        most = builder.most_bytes()
        encoded = builder.encode("g", 1).values()
        assert sum(map(len, encoded)) <= most + 100
