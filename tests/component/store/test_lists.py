"""Lists that frontends read: replaced by later ones only, and removed when they should be."""

from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from streamapp.store.lists import Lists, lists_of
from streamapp.store.slot.keys import TOMBSTONE_LIFETIME_S, tombstone_key

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
