"""A slot: its head, its claim and its clock, and how what it holds is read and written."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from streamapp.core.ids.registry import Registry
from streamapp.errors import ClaimLostError, PositionMovedError, StateError
from streamapp.store.redis import scripts
from streamapp.store.slot import slot as slot_module
from streamapp.store.slot.head import HistoriesHead
from streamapp.store.slot.keys import TOMBSTONE_LIFETIME_S, SlotKeys
from streamapp.store.slot.slot import Slot
from tests.component.store.conftest import KEYS

Calls = Callable[[], Awaitable[int]]


async def test_a_slot_is_made_once(redis: Redis) -> None:
    """The second caller finds the slot of the first."""
    slot = Slot(redis, KEYS, "g")
    assert await slot.head(HistoriesHead) is None
    await slot.create(10, "{}")
    await Slot(redis, KEYS, "h").create(20, "[]")
    head = await slot.head(HistoriesHead)
    assert head is not None
    assert (head.position, head.results, head.state_id) == (10, "{}", "g")


async def test_a_head_without_a_position_is_no_slot(redis: Redis) -> None:
    """A field may be noted before the slot is made."""
    await redis.hset(KEYS.head, "owner", "me")
    assert await Slot(redis, KEYS).head(HistoriesHead) is None


async def test_a_head_has_a_position_offsets_and_fields(slot: Slot) -> None:
    """Each under its own name; a counter that was never set is 0."""
    offsets = {"clicks/0": 5, "clicks/1": 7}
    await slot.commit(10, HistoriesHead(20, offsets, applied=3))
    head = await slot.head(HistoriesHead)
    assert head is not None
    assert (head.position, head.applied_offsets) == (20, offsets)
    assert (head.applied, head.dead, head.state_id) == (3, 0, "g")


async def test_a_rollback_is_counted_with_its_offsets(slot: Slot) -> None:
    """For people who look at the status."""
    await slot.count_rollback(5)
    await slot.count_rollback(7)
    head = await slot.head(HistoriesHead)
    assert head is not None
    assert (head.rolled_back, head.rolled_back_offsets) == (2, 12)


@pytest.mark.parametrize("expected", [9, 11])
async def test_a_slot_is_looked_at_where_it_is(slot: Slot, expected: int) -> None:
    """The error says what was expected and what was found."""
    await slot.check(10)
    with pytest.raises(PositionMovedError) as caught:
        await slot.check(expected)
    assert (caught.value.expected, caught.value.found) == (expected, 10)


async def test_a_slot_that_is_gone_is_at_no_position(redis: Redis, slot: Slot) -> None:
    """Not even at the first one."""
    await redis.delete(KEYS.head)
    for expected in (0, 10):
        with pytest.raises(PositionMovedError) as caught:
            await slot.check(expected)
        assert caught.value.found == -1


async def test_a_slot_is_claimed_by_the_last_who_did(slot: Slot) -> None:
    """At first it has no owner."""
    assert not await slot.ownership.is_owner("me")
    await slot.ownership.claim("me")
    assert await slot.ownership.is_owner("me")
    await slot.ownership.claim("you")
    assert [await slot.ownership.is_owner(owner) for owner in ("me", "you")] == [False, True]


async def test_the_clock_has_the_milliseconds_of_the_server(redis: Redis, slot: Slot) -> None:
    """Where nothing moved it further than that, at any time within a second."""
    await slot.ownership.claim("me")
    for _ in range(200):
        await redis.hdel(KEYS.head, "tick")
        before_s, before_us = await redis.time()
        timestamp = await slot.ownership.next_timestamp("me")
        after_s, after_us = await redis.time()
        assert before_s * 1000 + before_us // 1000 <= timestamp
        assert timestamp <= after_s * 1000 + after_us // 1000


async def test_the_clock_is_one_more_than_before_and_no_more(redis: Redis, slot: Slot) -> None:
    """A clock that was set back, or a first tick."""
    await slot.ownership.claim("me")
    far = 9_000_000_000_000
    await redis.hset(KEYS.head, "tick", far)
    assert await slot.ownership.next_timestamp("me") == far + 1


async def test_only_who_has_claimed_a_slot_moves_its_clock(slot: Slot) -> None:
    """Without a claim no worker does."""
    with pytest.raises(ClaimLostError):
        await slot.ownership.next_timestamp("me")
    await slot.ownership.claim("me")
    with pytest.raises(ClaimLostError):
        await slot.ownership.next_timestamp("you")
    head = await slot.head(HistoriesHead)
    assert head is not None
    assert head.clock == 0


async def test_only_who_has_claimed_a_slot_sets_its_fields(slot: Slot) -> None:
    """One at a time, under the name by which it is stored."""
    with pytest.raises(ClaimLostError):
        await slot.ownership.set_field("me", HistoriesHead, "due_users", 1)
    await slot.ownership.claim("me")
    await slot.ownership.set_field("me", HistoriesHead, "user_lists_version", "7:9")
    with pytest.raises(ClaimLostError):
        await slot.ownership.set_field("you", HistoriesHead, "due_users", 2)
    head = await slot.head(HistoriesHead)
    assert head is not None
    assert (head.user_lists_version, head.due_users) == ("7:9", 0)


@pytest.mark.parametrize("count", [0, 1, 4_999, 5_000, 5_001, 10_001])
async def test_a_registry_is_read_whole(redis: Redis, slot: Slot, count: int) -> None:
    """Some thousands in a call, in order; into the registry that is given."""
    ids = [f"i{number}" for number in range(count)]
    if ids:
        await redis.rpush(KEYS.items, *ids)
    assert (await slot.item_ids.registry()).ids == ids
    mine = Registry()
    assert await slot.item_ids.registry(mine) is mine
    assert mine.ids == ids


@pytest.mark.parametrize("size", [0, 1, 999_999, 1_000_000, 1_000_001, 2_000_001])
async def test_packed_records_are_read_whole(redis: Redis, slot: Slot, size: int) -> None:
    """A million bytes in a call, in order."""
    stored = bytes(number % 251 for number in range(size))
    await redis.set(KEYS.norms, stored)
    assert await slot.columns.read(KEYS.norms) == stored


async def times(redis: Redis, command: str) -> int:
    """Return how often the server ran a command."""
    stats: Any = await redis.info("commandstats")
    return int(stats.get(f"cmdstat_{command}", {}).get("calls", 0))


@pytest.mark.parametrize(("count", "expected"), [(0, 1), (10_000, 3), (10_001, 4)])
async def test_a_registry_is_read_five_thousand_ids_at_a_time(
    redis: Redis, slot: Slot, count: int, expected: int
) -> None:
    """The last call finds nothing more."""
    if count:
        await redis.rpush(KEYS.items, *map(str, range(count)))
    before = await times(redis, "lrange")
    await slot.item_ids.registry()
    assert await times(redis, "lrange") - before == expected


@pytest.mark.parametrize(("size", "expected"), [(0, 1), (2_000_000, 3), (2_000_001, 4)])
async def test_a_column_is_read_a_million_bytes_at_a_time(
    redis: Redis, slot: Slot, size: int, expected: int
) -> None:
    """The last call finds nothing more."""
    await redis.set(KEYS.norms, bytes(size))
    before = await times(redis, "getrange")
    await slot.columns.read(KEYS.norms)
    assert await times(redis, "getrange") - before == expected


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (500, 1), (501, 2), (1_001, 3)])
async def test_blobs_are_read_five_hundred_at_a_time(
    redis: Redis, slot: Slot, count: int, expected: int
) -> None:
    """Alone, and together with the position."""
    before = [await times(redis, command) for command in ("mget", "evalsha")]
    await slot.blobs.read(range(count))
    assert await times(redis, "mget") - before[0] == expected
    await slot.blobs.read_at(10, range(count))
    assert await times(redis, "evalsha") - before[1] == expected


async def test_every_write_has_a_token_of_its_own(slot: Slot) -> None:
    """Sixteen random digits: no two workers ever choose the same one."""
    tokens = set()
    for number in range(5):
        await slot.blobs.put(20, [(number, b"x")])
        head = await slot.head(HistoriesHead)
        assert head is not None
        assert re.fullmatch(rb"[0-9a-f]{16}", head.write_token)
        tokens.add(head.write_token)
    assert len(tokens) == 5


async def test_a_scan_finds_the_blobs_of_its_slot_alone(redis: Redis) -> None:
    """By their names, though the prefix has signs that patterns have."""
    keys = SlotKeys("s[1]*?\\:", "u0")
    slot, names = Slot(redis, keys, "g"), {f"n{number}" for number in range(1_200)}
    await slot.create(0)
    await slot.blobs.put(1, [(name, b"x") for name in sorted(names)])
    for other in (SlotKeys("s1x:", "u0"), SlotKeys(keys.prefix, "u00")):
        await redis.set(other.blob("theirs"), b"y")
    found: set[str] = set()
    cursor, rounds = await slot.blobs.scan(0)
    found |= set(rounds)
    while cursor:
        cursor, rounds = await slot.blobs.scan(cursor)
        found |= set(rounds)
    assert found == names


async def test_a_scan_takes_some_hundreds_in_a_call(slot: Slot) -> None:
    """A slot of thousands takes few calls, and none takes all of it."""
    await slot.blobs.put(10, [(number, b"x") for number in range(3_000)])
    cursor, calls, largest = -1, 0, 0
    while cursor:
        cursor, names = await slot.blobs.scan(max(cursor, 0))
        calls, largest = calls + 1, max(largest, len(names))
    assert calls <= 12
    assert 100 < largest < 1_000


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1_001])
async def test_blobs_are_read_with_their_positions(slot: Slot, count: int) -> None:
    """In the order of their names, None where there is none, also of a slot at a position."""
    await slot.blobs.put(12, [(number, b"b%d" % number) for number in range(0, count, 2)])
    expected = [None if number % 2 else (12, b"b%d" % number) for number in range(count)]
    assert await slot.blobs.read(range(count)) == expected
    assert await slot.blobs.read_at(10, range(count)) == expected


async def test_an_empty_blob_is_gone_and_its_position_stays_for_a_day(
    redis: Redis, slot: Slot
) -> None:
    """So that no older one takes its place; a newer one stays for ever."""
    await slot.blobs.put(20, [("a", b"one"), ("b", b"two")])
    assert await slot.blobs.put(30, [("a", b"")]) == 0
    assert await slot.blobs.read(["a", "b"]) == [(30, b""), (20, b"two")]
    assert timedelta(days=1).total_seconds() == TOMBSTONE_LIFETIME_S
    assert TOMBSTONE_LIFETIME_S - 60 < await redis.ttl(KEYS.blob("a")) <= TOMBSTONE_LIFETIME_S
    assert await slot.blobs.put(25, [("a", b"older")]) == 1
    assert await slot.blobs.put(40, [("a", b"newer")]) == 0
    assert await redis.ttl(KEYS.blob("a")) == -1
    assert await slot.blobs.read(["a"]) == [(40, b"newer")]


async def test_the_head_knows_how_many_blobs_there_are_and_how_large(slot: Slot) -> None:
    """Of those that are not gone; one that is left does not count."""

    async def size() -> tuple[int, int]:
        head = await slot.head(HistoriesHead)
        assert head is not None
        return head.blobs, head.blob_bytes

    assert await slot.blobs.put(20, [("a", b"x" * 5), ("b", b"x" * 7)]) == 0
    assert await size() == (2, 12 + 16)
    await slot.blobs.put(30, [("a", b"x" * 9), ("b", b"x")])
    assert await size() == (2, 10 + 16)
    assert await slot.blobs.put(25, [("a", b"x" * 100), ("c", b"x")]) == 1
    assert await size() == (3, 11 + 24)
    await slot.blobs.put(40, [("a", b""), ("never", b"")])
    assert await size() == (2, 2 + 16)
    await slot.blobs.put(50, [("a", b""), ("b", b"x")])
    assert await size() == (2, 2 + 16)
    await slot.blobs.put(60, [("a", b"x" * 3)])
    assert await size() == (3, 5 + 24)
    await slot.blobs.put(70, [("a", b"x" * 4)])
    assert await size() == (3, 6 + 24)
    await slot.blobs.put(80, [("a", b"x" * 3)])
    assert await size() == (3, 5 + 24)
    await slot.blobs.put(90, [("a", b"x" * 4), ("b", b""), ("c", b"xx")])
    assert await size() == (2, 6 + 16)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], 0),
        ([1] * 249, 1),
        ([1] * 250, 1),
        ([1] * 251, 2),
        ([1] * 500, 2),
        ([250_000, 249_999, 1, 1], 2),
        ([250_000, 249_999, 0], 1),
        ([250_000, 250_000, 1], 2),
        ([500_000, 500_000], 2),
        ([400_000, 300_000, 400_000, 1], 2),
        ([499_999, 1, 499_999, 1], 2),
        ([1, 499_998, 1], 1),
    ],
)
async def test_blobs_are_written_some_in_a_call(
    slot: Slot, calls: Calls, sizes: list[int], expected: int
) -> None:
    """At most 250, and no more once there are half a million bytes; and all of them."""
    before = await calls()
    await slot.blobs.put(20, [(number, b"x" * size) for number, size in enumerate(sizes)])
    assert await calls() - before == expected
    found = await slot.blobs.read(range(len(sizes)))
    assert [len(blob[1]) if blob else -1 for blob in found] == sizes


async def test_newer_blobs_are_counted_over_all_calls(slot: Slot) -> None:
    """And left as they are."""
    await slot.blobs.put(30, [(number, b"newer") for number in range(0, 600, 100)])
    assert await slot.blobs.put(20, [(number, b"mine") for number in range(600)]) == 6
    assert await slot.blobs.put(30, [(number, b"equal") for number in range(600)]) == 0
    assert await slot.blobs.read([0, 599]) == [(30, b"equal")] * 2


def packed_record(position: int, text: bytes) -> bytes:
    """Return a record as a shard packs it."""
    return position.to_bytes(8, "big") + text


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, 1), (250, 1), (251, 2), (501, 3)])
async def test_packed_records_are_written_some_in_a_call(
    slot: Slot, calls: Calls, count: int, expected: int
) -> None:
    """At most 250 of them, each at the place of its number."""
    records = [packed_record(20, b"r%03d" % number) for number in range(count)]
    before = await calls()
    await slot.columns.put_records(KEYS.norms, 20, list(enumerate(records)))
    assert await calls() - before == expected
    assert await slot.columns.read(KEYS.norms) == b"".join(records)


async def test_a_packed_record_replaces_none_that_is_newer(slot: Slot) -> None:
    """Where none was, there are zeros."""
    await slot.columns.put_records(KEYS.norms, 30, [(3, packed_record(30, b"newr"))])
    old, equal = packed_record(20, b"mine"), packed_record(30, b"same")
    await slot.columns.put_records(KEYS.norms, 20, [(1, old), (3, old), (4, old)])
    nothing = b"\x00" * 12
    newer = packed_record(30, b"newr")
    assert await slot.columns.read(KEYS.norms) == nothing + old + nothing + newer + old
    await slot.columns.put_records(KEYS.norms, 30, [(3, equal)])
    assert await slot.columns.read(KEYS.norms) == nothing + old + nothing + equal + old


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1_000, 1), (1_001, 2), (2_500, 3)])
async def test_items_are_written_some_in_a_call(
    slot: Slot, calls: Calls, count: int, expected: int
) -> None:
    """At most a thousand, in order, behind those that are known."""
    await slot.item_ids.put_ids(15, 0, ["first"])
    ids, before = [f"i{number}" for number in range(count)], await calls()
    await slot.item_ids.put_ids(20, 1, ids)
    assert await calls() - before == expected
    assert (await slot.item_ids.registry()).ids == ["first", *ids]


@pytest.mark.parametrize("items", [0, 1, 3, 4])
async def test_a_position_moves_only_where_all_its_items_are(slot: Slot, items: int) -> None:
    """Neither fewer nor more; nothing is written where they are not."""
    await slot.item_ids.put_ids(20, 0, ["a", "b"])
    with pytest.raises(StateError, match="another length"):
        await slot.commit(10, HistoriesHead(20, {"clicks/0": 5}, applied=3), items)
    head = await slot.head(HistoriesHead)
    assert head is not None
    assert (head.position, head.applied_offsets, head.applied) == (10, {}, 0)
    await slot.commit(10, HistoriesHead(20, {"clicks/0": 5}, applied=3), 2)
    await slot.check(20)


async def test_a_move_whose_reply_was_lost_is_made_again(slot: Slot) -> None:
    """It is where it should be; what is elsewhere is refused, and stays as it is."""
    await slot.commit(10, HistoriesHead(20))
    await slot.commit(10, HistoriesHead(20))
    await slot.commit(20, HistoriesHead(30))
    with pytest.raises(PositionMovedError) as caught:
        await slot.commit(10, HistoriesHead(20, {"clicks/0": 5}))
    assert (caught.value.expected, caught.value.found) == (10, 30)
    head = await slot.head(HistoriesHead)
    assert head is not None
    assert (head.position, head.applied_offsets) == (30, {})


async def test_nothing_is_written_behind_what_somebody_else_put(redis: Redis, slot: Slot) -> None:
    """Who has not read the head since then neither puts more nor moves the position."""
    other = Slot(redis, KEYS, "g")
    await other.head(HistoriesHead)
    await slot.blobs.put(20, [("a", b"mine")])
    with pytest.raises(PositionMovedError) as caught:
        await other.blobs.put(30, [("a", b"theirs")])
    assert (caught.value.expected, caught.value.found) == (30, -2)
    with pytest.raises(PositionMovedError):
        await other.commit(10, HistoriesHead(30))
    assert await slot.blobs.read(["a"]) == [(20, b"mine")]
    await other.head(HistoriesHead)
    await other.blobs.put(30, [("a", b"theirs")])
    with pytest.raises(PositionMovedError):
        await slot.commit(10, HistoriesHead(20))
    await other.commit(10, HistoriesHead(30))
    await slot.check(30)


async def test_a_slot_knows_where_it_was_found_and_left(redis: Redis) -> None:
    """It knows nothing before it has read the head."""
    slot = Slot(redis, KEYS, "g")
    assert (await slot.head(HistoriesHead), slot.position) == (None, None)
    await slot.create(10)
    assert slot.position is None
    await slot.head(HistoriesHead)
    assert slot.position == 10
    await slot.commit(10, HistoriesHead(20))
    assert slot.position == 20


async def test_a_slot_does_not_know_its_position_while_it_moves_it(
    slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor after a move that failed, or of which it did not learn how it ended."""
    moving, go_on = asyncio.Event(), asyncio.Event()

    async def slow(*arguments: Any) -> Any:
        reply = await scripts.run(*arguments)
        moving.set()
        await go_on.wait()
        return reply

    await slot.head(HistoriesHead)
    monkeypatch.setattr(slot_module, "run", slow)
    committing = asyncio.create_task(slot.commit(10, HistoriesHead(20)))
    await moving.wait()
    assert slot.position is None
    committing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await committing
    assert slot.position is None
    await slot.head(HistoriesHead)
    assert slot.position == 20
    go_on.set()
    with pytest.raises(PositionMovedError):
        await slot.commit(10, HistoriesHead(15))
    assert slot.position is None
