"""Lists that frontends read: replaced by later ones only, and removed when they should be."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from streamapp.store.lists import Lists, keep_details, lists_of
from streamapp.store.slot.keys import TOMBSTONE_LIFETIME_S, details_key, tombstone_key

Calls = Callable[[], Awaitable[int]]
SOON = 4_000_000_000


def content(seq: int, text: str = "x") -> bytes:
    """Return a list as it is published."""
    return b'{"v":1,"kind":"item","seq":%d,"items":["%s"]}' % (seq, text.encode())


@pytest.fixture
def lists(redis: Redis) -> Lists:
    """Lists on one server."""
    return lists_of(redis, "l:", "s:", cluster=False)


async def test_lists_of_many_sizes_are_set_at_once(redis: Redis, lists: Lists) -> None:
    """Each has its own bytes; they stay where no time is given."""
    some = [(f"n{size}", content(5, "y" * size)) for size in (0, 1, 40, 300, 70_000)]
    assert await lists.replace("item", some, 5) == [list_ for _, list_ in some]
    assert await lists.get_many("item", [name for name, _ in some]) == [list_ for _, list_ in some]
    assert [await redis.ttl(lists.key("item", name)) for name, _ in some] == [-1] * 5


@pytest.mark.parametrize(("seq", "replaced"), [(4, False), (6, True)])
async def test_a_list_is_replaced_by_a_later_one_only(
    lists: Lists, seq: int, replaced: bool
) -> None:
    """Both among others that are replaced."""
    await lists.replace("item", [("b", content(5))], 5)
    some = [(name, content(seq)) for name in "abc"]
    expected = [content(seq), content(seq) if replaced else None, content(seq)]
    assert await lists.replace("item", some, seq) == expected
    assert await lists.get("item", "b") == content(max(seq, 5))


async def test_a_list_that_is_there_for_the_same_seq_stays(lists: Lists) -> None:
    """If a dead worker published the list already, the caller gets the stored bytes."""
    await lists.replace("item", [("a", content(5, "first"))], 5)
    again = await lists.replace("item", [("a", content(5, "second")), ("b", content(5))], 5)
    assert again == [content(5, "first"), content(5)]
    assert await lists.get("item", "a") == content(5, "first")


async def test_an_empty_list_deletes_and_is_remembered_for_a_day(
    redis: Redis, lists: Lists
) -> None:
    """No older list comes back; one of the same seq or a later one does."""
    await lists.replace("item", [("a", content(5)), ("b", content(5))], 5)
    assert await lists.replace("item", [("a", b""), ("b", content(6))], 6) == [b"", content(6)]
    assert await lists.get_many("item", ["a", "b"]) == [b"", content(6)]
    gone = tombstone_key("s:", lists.key("item", "a"))
    assert await redis.get(gone) == b"6"
    assert TOMBSTONE_LIFETIME_S - 60 < await redis.ttl(gone) <= TOMBSTONE_LIFETIME_S
    assert not await redis.exists(tombstone_key("s:", lists.key("item", "b")))
    assert await lists.replace("item", [("a", content(5)), ("c", content(5))], 5) == [
        None, content(5),
    ]  # fmt: skip
    assert await lists.get("item", "a") is None
    assert await lists.replace("item", [("a", content(6))], 6) == [content(6)]
    assert await lists.get("item", "a") == content(6)


async def test_a_list_that_never_was_may_be_deleted(redis: Redis, lists: Lists) -> None:
    """It is remembered as well."""
    assert await lists.replace("item", [("a", b"")], 6) == [b""]
    assert await redis.get(tombstone_key("s:", lists.key("item", "a"))) == b"6"


async def test_what_is_there_without_a_seq_is_older_than_any_list(
    redis: Redis, lists: Lists
) -> None:
    """Another program wrote it, or it is damaged."""
    await redis.set(lists.key("item", "a"), b"no list")
    assert await lists.replace("item", [("a", content(1))], 1) == [content(1)]
    assert await lists.get("item", "a") == content(1)


async def test_a_first_list_may_have_the_lowest_seq(lists: Lists) -> None:
    """Nothing is there that could be later."""
    assert await lists.replace("item", [("a", content(0)), ("b", b"")], 0) == [content(0), b""]
    assert await lists.get_many("item", ["a", "b"]) == [content(0), b""]


async def test_lists_are_removed_at_their_own_times(redis: Redis, lists: Lists) -> None:
    """A list that is deleted needs none."""
    some = [("a", content(5)), ("b", b""), ("c", content(5))]
    await lists.replace("user", some, 5, [SOON + 1, SOON + 2, SOON + 3])
    times = [await redis.expiretime(lists.key("user", name)) for name in "abc"]
    assert times == [SOON + 1, -2, SOON + 3]


async def test_times_are_changed_where_there_is_a_list(redis: Redis, lists: Lists) -> None:
    """The caller learns where there is none; a list that lives longer keeps its time."""
    await lists.replace("user", [(name, content(5)) for name in "ac"], 5, [SOON, SOON + 9])
    asked = {"a": SOON + 1, "b": SOON + 2, "c": SOON + 3, "d": SOON + 4}
    assert await lists.extend("user", asked) == ["b", "d"]
    times = [await redis.expiretime(lists.key("user", name)) for name in "abcd"]
    assert times == [SOON + 1, -2, SOON + 9, -2]


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (250, 1), (251, 2), (501, 3)])
async def test_lists_go_in_calls_of_some_hundreds(
    redis: Redis, lists: Lists, calls: Calls, count: int, expected: int
) -> None:
    """In order, each with its time."""
    some = [(f"n{number}", content(5, str(number))) for number in range(count)]
    before = await calls()
    replies = await lists.replace("user", some, 5, [SOON + number for number in range(count)])
    assert await calls() - before == expected
    assert replies == [list_ for _, list_ in some]
    before = await calls()
    assert not await lists.extend("user", {name: SOON for name, _ in some[:-1]})
    assert await calls() - before == -(-max(count - 1, 0) // 250)
    if some:
        assert await redis.expiretime(lists.key("user", some[-1][0])) == SOON + count - 1
        assert await redis.expiretime(lists.key("user", "n0")) == SOON


async def test_on_a_cluster_each_list_is_a_call(redis: Redis, calls: Calls) -> None:
    """In its own hash slot."""
    lists = lists_of(redis, "l:", "s:", cluster=True)
    before = await calls()
    some = [(f"n{number}", content(5)) for number in range(3)]
    assert await lists.replace("item", some, 5) == [content(5)] * 3
    assert await calls() - before == 3


def detailed(seq: int, score: float = 0.5) -> bytes:
    """Return a list with details."""
    return (
        b'{"v":1,"kind":"item","id":"a","seq":%d,"as_of":1.5,"items":[{"id":"b","score":%f,'
        b'"support":2}]}' % (seq, score)
    )


def bare(seq: int) -> bytes:
    """Return the same list as readers see it."""
    return b'{"v":1,"kind":"item","id":"a","seq":%d,"items":[{"id":"b"}]}' % seq


@pytest.fixture
def of_ids(redis: Redis) -> Lists:
    """Lists of which readers see ids alone."""
    return lists_of(redis, "l:", "s:", cluster=False, ids_only=True)


async def test_readers_see_ids_and_the_app_sees_details(redis: Redis, of_ids: Lists) -> None:
    """Both are replaced, extended and removed together, and the seq decides as ever."""
    some = [("a", detailed(5)), ("long", detailed(5, 0.25)), ("c", detailed(5))]
    assert await of_ids.replace("item", some, 5, [SOON] * 3) == [one for _, one in some]
    assert await of_ids.get_many("item", ["long", "none"]) == [detailed(5, 0.25), b""]
    found = await of_ids.get_versions("item", ["long", "none"])
    assert found == [(detailed(5, 0.25), 5), (b"", 0)]
    assert await every_key(redis) == sorted(
        key for name in ("a", "long", "c") for key in ("l:item:" + name, details(name))
    )
    for name, _ in some:
        assert await redis.get("l:item:" + name) == bare(5)
        assert await redis.expiretime("l:item:" + name) == SOON
        assert await redis.expiretime(details(name)) == SOON
    assert await of_ids.replace("item", [("a", detailed(4))], 4) == [None]
    assert await of_ids.replace("item", [("a", detailed(5, 0.9))], 5) == [detailed(5)]
    assert await redis.get("l:item:a") == bare(5)
    assert await of_ids.extend("item", {"a": SOON + 9, "c": SOON + 9}) == []
    assert await redis.expiretime("l:item:a") == await redis.expiretime(details("c")) == SOON + 9
    assert await of_ids.replace("item", [("a", b""), ("c", detailed(6))], 6) == [b"", detailed(6)]
    assert not await redis.exists("l:item:a", details("a"))
    assert await redis.get("l:item:c") == bare(6)
    assert await of_ids.replace("item", [("a", detailed(5))], 5) == [None]


@pytest.mark.parametrize("lost", ["l:item:a", "s:details:{l:item:a}:l:item:a"])
async def test_a_list_of_which_one_part_is_lost_is_reported(
    redis: Redis, of_ids: Lists, lost: str
) -> None:
    """Its owner publishes it again."""
    await of_ids.replace("item", [("a", detailed(5)), ("b", detailed(5))], 5, [SOON, SOON])
    await redis.delete(lost)
    assert await of_ids.extend("item", {"a": SOON + 1, "b": SOON + 1}) == ["a"]


async def test_a_list_of_before_the_setting_is_replaced_by_a_later_one_only(
    redis: Redis, lists: Lists, of_ids: Lists
) -> None:
    """Its seq counts though it has no details in the state."""
    await lists.replace("item", [("a", detailed(5))], 5)
    assert await of_ids.replace("item", [("a", detailed(4))], 4) == [None]
    assert await of_ids.replace("item", [("a", detailed(6))], 6) == [detailed(6)]
    assert await redis.get("l:item:a") == bare(6)


async def test_details_are_removed_when_they_are_no_longer_kept(
    redis: Redis, of_ids: Lists
) -> None:
    """Nothing else is, and a start that never kept any looks at one key."""
    await keep_details(redis, "s:", kept=True)
    await of_ids.replace("item", [("a", detailed(5)), ("b", b"")], 5)
    others = ["l:item:a", tombstone_key("s:", "l:item:b")]
    await keep_details(redis, "s:", kept=False)
    assert await every_key(redis) == sorted(others)
    await redis.set(details("kept"), 1)
    await keep_details(redis, "s:", kept=False)
    assert await redis.exists(details("kept"))


async def every_key(redis: Redis) -> list[str]:
    """Return the keys of Redis, in order."""
    keys: Any = await redis.keys("*")
    return sorted(key.decode() for key in keys)


def details(name: str) -> str:
    """Return the key of an item's list with details."""
    return details_key("s:", "l:item:" + name)
