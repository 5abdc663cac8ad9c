"""Roles: the delta of a revised history if pairs have a direction."""

import numpy as np
import orjson

from streamapp.core.histories.directed_revisions import directed_revisions
from streamapp.core.histories.history import Revisions, revise
from streamapp.core.histories.older_entries import ENTRY
from streamapp.core.ids.id_translator import IdTranslator
from streamapp.core.ids.registry import Registry
from streamapp.core.ids.role_registry import RoleRegistry, registry_of, roles_of
from streamapp.core.list_kinds import BOUGHT_AFTER_VIEW, BOUGHT_TOGETHER, ITEM
from streamapp.core.lists.list_format import encode_item_lists
from streamapp.core.lists.ranking import Ranking
from streamapp.core.messages.delta import Origin, decode_delta, encode_deltas
from tests.support.histories import USERS, one_user, rule

Block = tuple[set[tuple[str, float, float]], set[tuple[str, float]]]


def blocks_of(revisions: Revisions, registry: Registry) -> list[Block]:
    """Return of each block what changed, from what to what, and what stayed."""
    found: list[Block] = []
    for start, end in zip(revisions.starts[:-1], revisions.starts[1:], strict=True):
        entries = [
            (registry.ids[revisions.item[at]], revisions.before[at], revisions.after[at])
            for at in range(start, end)
        ]
        found.append((
            {(name, float(old), float(new)) for name, old, new in entries if old != new},
            {(name, float(old)) for name, old, new in entries if old == new},
        ))  # fmt: skip
    return found


def revised(
    registry: RoleRegistry, before: list[str], news: list[tuple[str, float]], cap: int = 9
) -> Revisions:
    """Return the history after some events, from second 0."""
    stored = np.zeros(len(before), ENTRY)
    stored["item"], stored["rating"] = registry.number(before), 1.0
    stored["ts"] = np.arange(len(before))
    acts = one_user(registry, [(item, 1.0, ts) for item, ts in news])
    return revise([stored.tobytes()], acts, registry, rule(cap, USERS))


def test_a_view_changes_pairs_with_what_was_bought_and_nothing_else() -> None:
    """No pair of two views, and none of an item with itself; names that only begin alike do."""
    registry = RoleRegistry()
    revisions = revised(registry, ["v:a", "b:c", "b:ab", "b:a"], [("v:c", 9.0), ("v:a", 9.0)])
    assert blocks_of(directed_revisions(revisions, registry), registry) == [
        ({("v:c", 0, 1)}, {("b:ab", 1), ("b:a", 1)})
    ]
    revisions = revised(registry, ["b:ab", "b:b", "b:a"], [("v:a", 9.0)])
    assert blocks_of(directed_revisions(revisions, registry), registry) == [
        ({("v:a", 0, 1)}, {("b:ab", 1), ("b:b", 1)})
    ]


def test_what_was_viewed_changes_beside_the_old_and_what_was_bought_beside_the_new() -> None:
    """In one cut: a and x come, w leaves; each pair is counted once, as of the newest event."""
    registry = RoleRegistry()
    revisions = revised(registry, ["v:w", "b:y"], [("v:a", 7.0), ("b:x", 8.0)], cap=3)
    made = directed_revisions(revisions, registry)
    assert blocks_of(made, registry) == [
        ({("v:w", 1, 0)}, {("b:y", 1)}),
        ({("v:a", 0, 1)}, {("b:y", 1)}),
        ({("b:x", 0, 1)}, {("v:a", 1)}),
    ]
    assert made.as_of.tolist() == [8.0] * 3


def test_nothing_comes_of_nothing() -> None:
    """An event that changes no rating sends no delta."""
    registry = RoleRegistry()
    revisions = revised(registry, ["v:a", "b:b"], [("v:a", 9.0)])
    assert not list(
        encode_deltas(directed_revisions(revisions, registry), registry, 2, Origin("g", 0, 0))
    )


def test_a_purchase_is_sent_to_the_owners_of_what_was_viewed_and_they_get_no_more() -> None:
    """Every shard receives the norm; the rest goes to shards with a row for it."""
    registry = RoleRegistry()
    views = [f"v:{name}" for name in "abcdefgh"]
    revisions = revised(registry, [*views, "b:y"], [("b:x", 99.0)], cap=20)
    kept: list[str] = []
    for shard, value in encode_deltas(
        directed_revisions(revisions, registry), registry, 3, Origin("g", 0, 0)
    ):
        own = RoleRegistry()
        blocks = decode_delta(value).blocks(own, IdTranslator())
        assert [own.ids[item] for item in blocks.changed] == ["b:x"]
        assert set(own.shards(3, blocks.kept).tolist()) <= {shard}
        kept += [own.ids[item] for item in blocks.kept]
    assert sorted(kept) == views


def test_no_shard_owns_what_was_bought_and_readers_know_items_by_their_ids() -> None:
    """The owner of a viewed item follows from its name, in every shard."""
    registry, plain = RoleRegistry(["v:a", "b:a"]), Registry(["v:a", "b:a"])
    numbers = np.arange(2, dtype=np.int32)
    assert registry.shards(5, numbers).tolist() == [plain.shards(5, numbers)[0], -1]
    assert registry.public_ids == ["a", "a"]
    registry.number(["v:b:c"])
    assert registry.public_ids == ["a", "a", "b:c"]
    assert plain.public_ids == plain.ids == ["v:a", "b:a"]


def test_a_list_says_ids_without_roles() -> None:
    """Its own and those of its entries, also if the list is empty."""
    registry = RoleRegistry(["v:a", "v:b", "b:c"])
    ranking = Ranking(
        np.array([1, 0], np.int32), np.array([[2], [-1]], np.int32), np.array([[0.5], [0.0]]),
        np.array([[3], [0]], np.int32), np.zeros(2, np.int64),
    )  # fmt: skip
    (one, content), nothing = encode_item_lists(
        np.arange(2, dtype=np.int32), ranking, 7, np.zeros(3), registry, BOUGHT_AFTER_VIEW
    )
    assert (one, nothing) == ("a", ("b", b""))
    told = orjson.loads(content)
    assert (told["kind"], told["id"]) == (BOUGHT_AFTER_VIEW, "a")
    assert told["items"] == [{"id": "c", "score": 0.5, "support": 3}]


def test_only_the_kind_with_a_direction_has_roles() -> None:
    """Other kinds use plain ids, with any first letters."""
    for kind in (ITEM, BOUGHT_TOGETHER):
        assert type(registry_of(kind)) is Registry
        assert roles_of(kind) == ("", "")
    assert type(registry_of(BOUGHT_AFTER_VIEW)) is RoleRegistry
