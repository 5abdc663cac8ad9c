"""Heads: a head reads back as it was written, under the stored names of earlier versions."""

from dataclasses import fields
from math import inf

import pytest

from streamapp.core.evaluation.online import OnlineMetrics
from streamapp.core.trending.popularity import Popular
from streamapp.errors import StateError
from streamapp.store.slot.head import (
    CatalogueHead,
    Head,
    HistoriesHead,
    IntakeHead,
    ShardHead,
    stored_names,
)

FULL: list[tuple[Head, dict[str, bytes]]] = [
    (IntakeHead(7, last_record=b"6:99"), {"mark": b"6:99"}),
    (
        HistoriesHead(
            7,
            {"clicks/0": 5},
            b"6:99",
            applied=1,
            dead=2,
            replayed=3,
            skipped={"scroll": 4, "(other)": 5},
            newest_ts=1700000000.25,
            online_metrics=OnlineMetrics(1, 0.1, 2, 3, 4),
        ),
        {
            "fence:clicks/0": b"5",
            "mark": b"6:99",
            "applied": b"1",
            "dead": b"2",
            "replayed": b"3",
            "skipped:scroll": b"4",
            "skipped:(other)": b"5",
            "newest_ts": b"1700000000.25",
            "hits": b"1",
            "reciprocal_ranks": b"0.1",
            "judged": b"2",
            "unserved": b"3",
            "overtaken": b"4",
        },
    ),
    (
        ShardHead(
            7,
            {"0": 3, "c0": 5},
            dirty=b"d",
            moved=b"m",
            republish_at=9,
            rule="{}",
            published=4,
            popular=[Popular("a", 0.5, 3)],
            popular_ts=2.5,
            replayed=1,
            last_update_offset=6,
            listed_update_offset=5,
            norm_feed="a:t",
            norm_feed_bytes=24,
            norms_shared=5,
            norms_seen="5,3",
            norms_taken=8,
        ),
        {
            "fence:0": b"3",
            "fence:c0": b"5",
            "dirty": b"d",
            "moved": b"m",
            "republish": b"9",
            "rule": b"{}",
            "published": b"4",
            "popular": b"\x91\x93\xa1a\xcb\x3f\xe0\0\0\0\0\0\0\x03",
            "popular_ts": b"2.5",
            "replayed": b"1",
            "heard": b"6",
            "turned": b"5",
            "norm_feed": b"a:t",
            "norm_feed_bytes": b"24",
            "norms_shared": b"5",
            "norms_seen": b"5,3",
            "norms_taken": b"8",
        },
    ),
    (
        CatalogueHead(7, last_record=b"6:99", dead=2, categories_told=True),
        {"mark": b"6:99", "dead": b"2", "categories_told": b"1"},
    ),
]


@pytest.mark.parametrize(("head", "stored"), FULL, ids=[type(head).__name__ for head, _ in FULL])
def test_a_head_is_stored_under_the_names_that_workers_of_all_versions_know(
    head: Head, stored: dict[str, bytes]
) -> None:
    """A renamed field would be an empty one for the state that exists."""
    assert head.encode() == stored
    assert type(head).decode({"position": b"7", **stored}) == head


def test_what_scripts_write_is_read_and_not_written_back() -> None:
    """A stage that wrote them with its position would undo changes made meanwhile."""
    stored = {
        "generation": b"g",
        "results": b"{}",
        "owner": b"me",
        "written": b"w",
        "tick": b"1",
        "blobs": b"2",
        "blob_bytes": b"3",
        "rolled_back": b"4",
        "rolled_back_offsets": b"5",
        "begun": b"6",
    }
    head = Head.decode({"position": b"0", **stored})
    assert head == Head(0, {}, None, "g", "{}", "me", b"w", 1, 2, 3, 4, 5, 6)
    assert head.encode() == {}
    histories = HistoriesHead.decode({"position": b"0", "due_users": b"3", "seen": b"1:2/3"})
    assert histories == HistoriesHead(due_users=3, user_lists_version="1:2/3")
    assert not histories.encode().keys() & {"due_users", "seen"}
    shard = ShardHead.decode({"position": b"0", "merged": b"1,2", "matched": b"3/4"})
    assert shard == ShardHead(trending_version="1,2", content_version="3/4")
    assert not shard.encode().keys() & {"merged", "matched", "published", "rule", "mark"}


EVERY = {
    "position": 0, "applied_offsets": {}, "last_record": None, "state_id": "", "results": "",
    "owner": "", "write_token": b"", "clock": 0, "blobs": 0, "blob_bytes": 0, "rolled_back": 0,
    "rolled_back_offsets": 0, "begun": 0, "redis": "",
}  # fmt: skip
FIRST: list[tuple[type[Head], dict[str, object]]] = [
    (IntakeHead, {}),
    (
        HistoriesHead,
        {
            "applied": 0, "dead": 0, "replayed": 0, "skipped": {}, "newest_ts": -inf,
            "online_metrics": OnlineMetrics(0, 0.0, 0, 0, 0), "due_users": 0,
            "user_lists_version": "",
        },
    ),
    (
        ShardHead,
        {
            "dirty": b"", "moved": b"", "republish_at": None, "rule": None, "published": None,
            "popular": [], "popular_ts": -inf, "replayed": 0, "last_update_offset": 0,
            "listed_update_offset": 0, "trending_version": "", "content_version": "",
            "norm_feed": "", "norm_feed_bytes": 0, "norms_shared": 0, "norms_seen": "",
            "norms_taken": 0,
        },
    ),
    (CatalogueHead, {"dead": 0, "categories_told": False}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "own"), FIRST, ids=[kind.__name__ for kind, _ in FIRST])
def test_a_head_that_has_its_position_alone_has_counted_nothing(
    kind: type[Head], own: dict[str, object]
) -> None:
    """A new slot has such a head; an earlier version did not write every field."""
    head = kind.decode({"position": b"0"})
    assert head is not None
    assert {one.name: getattr(head, one.name) for one in fields(head)} == EVERY | own
    assert head == kind()


def test_a_flag_is_stored_as_one_or_nothing() -> None:
    """Any text but the empty one is read as true."""
    assert CatalogueHead().encode() == {"dead": b"0", "categories_told": b""}
    for stored, told in ((b"", False), (b"0", True), (b"1", True)):
        head = CatalogueHead.decode({"position": b"0", "categories_told": stored})
        assert head == CatalogueHead(categories_told=told)


def test_nothing_to_publish_again_is_written_too() -> None:
    """It replaces the stored offset."""
    assert ShardHead().encode()["republish"] == b""
    assert ShardHead.decode({"position": b"0", "republish": b""}) == ShardHead()


def test_a_hash_without_a_position_is_no_head() -> None:
    """A worker leaves such a hash if it claims a slot that was just removed."""
    assert ShardHead.decode({"owner": b"me"}) is None


def test_a_field_of_another_version_is_ignored() -> None:
    """A newer worker may have written it."""
    assert Head.decode({"position": b"1", "later": b"?"}) == Head(1)


@pytest.mark.parametrize("field", ["position", "published", "popular", "fence:0"])
def test_a_field_that_holds_something_else_is_named(field: str) -> None:
    """In one line, with what to do."""
    with pytest.raises(StateError, match=f"{field} is b'x y'"):
        ShardHead.decode({"position": b"0", field: b"x y"})


def test_attributes_have_their_stored_names() -> None:
    """Only those that are kept in one field."""
    names = stored_names(ShardHead, ("position", "trending_version"))
    assert names == ["position", "merged"]
    with pytest.raises(KeyError):
        stored_names(ShardHead, ("applied_offsets",))
