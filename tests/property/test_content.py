"""The content neighbours that a shard shows are a function of its log and of its counts."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from streamapp.core.ids.registry import Registry, shard_of
from streamapp.core.lists.list_format import encode_item_lists, is_content
from streamapp.core.lists.ranking import ListRule
from streamapp.core.lists.reason_names import CONTENT
from streamapp.core.messages.content_neighbours import (
    ContentNeighbour,
    ContentNeighbours,
    pack_list,
    unpack_list,
)
from streamapp.core.shard.content_lists import ShardContentLists
from tests.property.test_refresh import by_text
from tests.support import oracle
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline
from tests.support.strategies import examples, portions, streams

NAMES = ["a", "b", "c", "d"]

matched = st.dictionaries(
    st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=3, unique=True), max_size=2
)
"""Items, and their neighbours by text."""


def shown(content: ShardContentLists) -> dict[str, list[ContentNeighbour]]:
    """Return the lists that are held."""
    return {item: unpack_list(packed) for item, packed in content.lists.items()}


@examples(400)
@given(st.data(), streams(max_size=20), st.sampled_from([1, 2, 9]), st.integers(1, 2))
def test_content_shows_exactly_where_counts_have_nothing(
    data: st.DataObject, acts: list[Act], cap: int, shards: int
) -> None:
    """After every message, also if it came late, an item was hidden, or rows left memory.

    A message that is older than one that the shard received changes nothing.
    """
    rule = ListRule(data.draw(st.integers(1, 3)), min_support=data.draw(st.integers(1, 2)))
    pipeline, items = Pipeline(shards, cap, rule), sorted({act.item for act in acts} | {"new"})
    latest, newest = dict[str, list[ContentNeighbour]](), [0] * shards
    hidden: dict[str, bool] = {}
    done: list[Act] = []
    for part in data.draw(portions(acts)):
        near = data.draw(
            st.dictionaries(
                st.sampled_from(items),
                st.lists(st.sampled_from(items), max_size=4, unique=True),
                max_size=2,
            )
        )
        version, lists = (
            data.draw(st.integers(1, 9)),
            {i: by_text(some) for i, some in near.items()},
        )
        turned = data.draw(st.dictionaries(st.sampled_from(items), st.booleans(), max_size=1))
        pipeline.match(version, lists)
        pipeline.tell(turned)
        pipeline.take(part)
        done += part
        hidden |= turned
        for number in range(shards):
            own = {i: some for i, some in lists.items() if shard_of(i, shards) == number}
            if own and version >= newest[number]:
                newest[number] = version
                latest |= own
            pipeline.drain(number)
            if data.draw(st.booleans()):
                pipeline.store(number, forget=True)
        gone = {item for item, now in hidden.items() if now}
        some = {
            item: [(one.item, one.score, 0) for one in near_it if one.item not in gone]
            for item, near_it in latest.items()
        }
        expected = {item: entries[: rule.top_n] for item, entries in some.items() if entries}
        counts = oracle.lists(done, cap, rule.top_n, min_support=rule.min_support, hidden=gone)
        assert pipeline.lists() == expected | counts


@examples(400)
@given(st.lists(matched, max_size=8), st.data())
def test_a_shard_that_died_goes_on_from_whatever_was_stored(
    log: list[dict[str, list[str]]], data: st.DataObject
) -> None:
    """It died between some of its writes and its position; the next one reads the log again.

    In the end it holds the same, under the same numbers, and named every list that may differ.
    """
    messages = [
        ContentNeighbours("g", number, [(item, by_text(some)) for item, some in one.items()])
        for number, one in enumerate(log)
    ]
    stored_at = data.draw(st.integers(0, len(log)))
    ahead = data.draw(st.integers(stored_at, len(log)))
    store, before, registry = dict[str, bytes](), ShardContentLists(), Registry()

    def put(pairs: list[tuple[str, bytes]]) -> None:
        for item, packed in pairs:
            store[item] = packed
            if not packed:
                del store[item]

    for offset in range(stored_at):
        before.apply(messages[offset], offset, registry)
    put(before.packed_changes())
    then, ids = shown(before), list(registry.ids)
    for offset in range(stored_at, ahead):
        before.apply(messages[offset], offset, registry)
    some = before.packed_changes()
    first = data.draw(st.integers(0, len(some)))
    put(some[:first])
    for offset in range(ahead, len(log)):
        before.apply(messages[offset], offset, registry)

    after, again = ShardContentLists(dict(store), ahead if first else stored_at), Registry(ids)
    concerned: set[str] = set()
    for offset in range(stored_at, len(log)):
        numbers = after.apply(messages[offset], offset, again)
        concerned |= {again.ids[number] for number in numbers.tolist()}
        if data.draw(st.booleans()):
            put(after.packed_changes())
    put(after.packed_changes())
    assert shown(after) == shown(before) == shown(ShardContentLists(dict(store)))
    assert again.ids == registry.ids
    differ = {item for item in NAMES if then.get(item) != shown(after).get(item)}
    assert differ <= concerned


def test_a_hidden_neighbour_leaves_its_lists_at_once_and_the_rows_are_due() -> None:
    """Lists stored earlier too; and so are those that show it again."""
    pipeline = Pipeline(1, 9, ListRule(2))
    pipeline.match(1, {"new": by_text(["x", "y", "z"]), "other": by_text(["z"])})
    pipeline.drain(0)
    shard = pipeline.rows[0]
    due = [due_in(pipeline)]
    for hidden in (True, False):
        shard.lists.dirty[:] = False
        pipeline.tell({"x": hidden, "nothing": True})
        pipeline.drain(0)
        due.append(due_in(pipeline))
    assert due == [["new", "other"], ["new"], ["new"]]
    assert shard.alive().tolist() == shard.registry.number(["new", "other"]).tolist()


def test_a_copy_changes_nothing_and_a_list_of_nothing_takes_it_back() -> None:
    """A copy of a publisher's message makes no row pending; neither does equal content."""
    pipeline = Pipeline(1, 9, ListRule(2))
    shard = pipeline.rows[0]
    due = []
    for version, near in ((5, ["x"]), (5, ["x"]), (6, ["x"]), (4, ["y"]), (7, [])):
        shard.lists.dirty[:] = False
        pipeline.match(version, {"new": by_text(near)})
        pipeline.drain(0)
        due.append(bool(shard.lists.dirty.any()))
    assert due == [True, False, False, False, True]
    assert (shard.content.lists, shard.alive().tolist()) == ({}, [])


def test_nothing_is_published_while_content_is_stored_ahead() -> None:
    """A list at a position is made from the state at that position."""
    pipeline = Pipeline(1, 9, ListRule(2))
    shard = pipeline.rows[0]
    shard.content = ShardContentLists({"new": pack_list(by_text(["x"]))}, max_stored_position=2)
    assert shard.is_replaying
    pipeline.match(1, {"new": by_text(["x"])})
    pipeline.match(1, {"new": by_text(["x"])})
    pipeline.drain(0)
    assert not shard.is_replaying
    assert due_in(pipeline) == ["new"]


def test_what_readers_get_says_what_it_rests_on() -> None:
    """Entries of counts have no reason, as before; a list of another state is not taken."""
    pipeline = Pipeline(1, 9, ListRule(2))
    pipeline.take([Act("u", item, 1.0, 5.0) for item in ("a", "b")])
    pipeline.match(1, {"new": [ContentNeighbour("a", 0.5)], "a": [ContentNeighbour("new", 0.5)]})
    pipeline.drain(0)
    shard = pipeline.rows[0]
    assert not shard.apply_content_neighbours(
        ContentNeighbours("before", 9, [("new", [ContentNeighbour("b", 1.0)])]), 9
    )
    numbers = shard.registry.number(["new", "a"])
    pipeline.load(0, numbers[~shard.rows.present[numbers]])
    lists = dict(
        encode_item_lists(numbers, shard.rank(numbers), 7, shard.rows.as_of, shard.registry)
    )
    entry = f'{{"id":"a","score":0.5,"support":0,"reason":"{CONTENT}"}}'
    about = '{"v":1,"kind":"item","id":"new","seq":7,"as_of":0.0,"items":'
    assert lists["new"].decode() == f"{about}[{entry}]}}"
    assert lists["a"].endswith(b'"items":[{"id":"b","score":1.0,"support":1}]}')
    assert [is_content(lists[item]) for item in ("new", "a")] == [True, False]
    assert not is_content(b"")


def due_in(pipeline: Pipeline) -> list[str]:
    """Return the items whose rows are pending, in the order of their ids."""
    shard = pipeline.rows[0]
    return sorted(
        shard.registry.ids[number] for number in np.flatnonzero(shard.lists.dirty).tolist()
    )
