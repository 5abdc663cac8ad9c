"""Scripts: who may write, that a call may be repeated, and that one that fails writes nothing."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from streamapp.errors import StateError
from streamapp.store.redis.scripts import Value, run
from streamapp.store.slot.keys import SlotKeys
from streamapp.store.slot.slot import Slot
from tests.component.store.conftest import KEYS

Everything = Callable[[], Awaitable[dict[bytes, bytes]]]

BLOB = (20).to_bytes(8, "big") + b"content"
PUTS: dict[str, tuple[list[str], list[Value]]] = {
    "put-blobs": ([KEYS.blob("a"), KEYS.blob("b")], [86_400, BLOB, BLOB]),
    "put-records": ([KEYS.norms], [0, BLOB]),
    "put-items": ([KEYS.items], [0, "a", "b"]),
    "put-tops": ([KEYS.tops, KEYS.touched], [1, "tents", BLOB]),
    "put-content": ([KEYS.content], ["a", b"list", "b", b""]),
}
"""Keys behind the head, and values behind state_id, position and marks, by script."""

NOTES: dict[str, list[Value]] = {
    "set-field": ["seen", "1"],
    "mark-pending": [2, "[]", 300, 1, '["u","v"]'],
    "complete-lists": [0, '["1"]', "7:9", '["u"]'],
    "next-timestamp": [0],
}
"""Values behind the owner, by script."""


async def put(redis: Redis, script: str, *leading: Value) -> int:
    """Run a script with state_id, position and marks; return its reply."""
    keys, values = PUTS[script]
    return int(await run(redis, script, [KEYS.head, *keys], [*leading, *values]))


@pytest.mark.parametrize("script", PUTS)
async def test_a_write_leaves_its_mark(redis: Redis, slot: Slot, script: str) -> None:
    """By which the next one knows that it is there."""
    assert await put(redis, script, "g", 20, "", "m1") == 0
    assert await redis.hget(KEYS.head, "written") == b"m1"
    assert await put(redis, script, "g", 30, "m1", "m2") in {0, 2}
    assert await redis.hget(KEYS.head, "written") == b"m2"
    await slot.check(10)


@pytest.mark.parametrize("script", PUTS)
async def test_a_write_whose_reply_was_lost_is_made_again(
    redis: Redis, slot: Slot, everything: Everything, script: str
) -> None:
    """The second run finds its own write token; the result is the same as after the first run."""
    await put(redis, script, "g", 20, "", "m1")
    before = await everything()
    assert await put(redis, script, "g", 20, "", "m1") in {0, 2}
    assert await everything() == before
    await slot.check(10)


@pytest.mark.parametrize("script", PUTS)
@pytest.mark.parametrize(
    ("state_id", "mark", "reply"),
    [("other", "m0", -1), ("", "m0", -1), ("g", "", -2), ("g", "other", -2)],
)
async def test_a_write_of_another_state_or_behind_another_mark_changes_nothing(
    redis: Redis,
    slot: Slot,
    everything: Everything,
    script: str,
    state_id: str,
    mark: str,
    reply: int,
) -> None:
    """And says which of both it was."""
    assert slot.state_id == "g"
    await redis.hset(KEYS.head, "written", "m0")
    before = await everything()
    assert await put(redis, script, state_id, 20, mark, "m1") == reply
    assert await everything() == before


@pytest.mark.parametrize("script", PUTS)
async def test_a_write_to_a_slot_that_is_gone_changes_nothing(
    redis: Redis, everything: Everything, script: str
) -> None:
    """There is no slot at all."""
    assert await put(redis, script, "g", 20, "", "m1") == -1
    assert await everything() == {}


@pytest.mark.parametrize(
    ("script", "key"), [(script, key) for script, (keys, _) in PUTS.items() for key in keys]
)
async def test_a_write_to_a_key_of_another_type_changes_nothing(
    redis: Redis, slot: Slot, everything: Everything, script: str, key: str
) -> None:
    """Another program wrote there: the first key as little as the mark is written."""
    assert slot.keys == KEYS
    await redis.xadd(key, {"a": "stream"})
    before = await everything()
    with pytest.raises(StateError, match=f"redis refuses to run {script} on .*WRONGTYPE"):
        await put(redis, script, "g", 20, "", "m1")
    assert await everything() == before


async def test_content_is_set_and_removed_by_item(redis: Redis, slot: Slot) -> None:
    """The field without a name has the largest position of any write."""
    await slot.write("put-content", [KEYS.content], 20, ["a", b"one", "b", b"two"])
    assert await redis.hgetall(KEYS.content) == {b"": b"20", b"a": b"one", b"b": b"two"}
    await slot.write("put-content", [KEYS.content], 15, ["a", b"", "c", b"three"])
    assert await redis.hgetall(KEYS.content) == {b"": b"20", b"b": b"two", b"c": b"three"}
    await slot.write("put-content", [KEYS.content], 21, ["b", b"four"])
    assert await redis.hgetall(KEYS.content) == {b"": b"21", b"b": b"four", b"c": b"three"}


async def test_tops_replace_none_that_are_newer_and_are_touched_by_position(
    redis: Redis, slot: Slot
) -> None:
    """Only where something happened in the category."""

    def top(position: int, text: bytes) -> bytes:
        return position.to_bytes(8, "big") + text

    async def placed(position: int, touched: int, *tops: Value) -> int:
        keys = [KEYS.tops, KEYS.touched]
        return await slot.write("put-tops", keys, position, [touched, *tops])

    assert await placed(20, 1, "a", top(20, b"1"), "b", top(20, b"2")) == 0
    assert await placed(15, 1, "a", top(15, b"3"), "c", top(15, b"4")) == 1
    assert await placed(20, 0, "b", top(20, b"5"), "d", top(20, b"6")) == 0
    assert await redis.hgetall(KEYS.tops) == {
        b"a": top(20, b"1"), b"b": top(20, b"5"), b"c": top(15, b"4"), b"d": top(20, b"6"),
    }  # fmt: skip
    touched: Any = await redis.zrange(KEYS.touched, 0, -1, withscores=True)
    assert dict(touched) == {b"a": 20, b"b": 20, b"c": 15}
    assert await placed(30, 1, "b", top(30, b"7")) == 0
    assert await redis.zscore(KEYS.touched, "b") == 30


@pytest.mark.parametrize(
    ("known", "ids", "reply"),
    [
        (0, ["a", "b"], 2),
        (0, ["a", "b", "c"], 3),
        (0, ["a", "b", "c", "d"], 3),
        (1, ["b"], 1),
        (1, ["b", "c", "d", "e"], 2),
        (2, ["c", "d"], 1),
        (3, ["d"], 0),
    ],
)
async def test_items_that_are_there_are_counted_and_not_written_again(
    redis: Redis, slot: Slot, known: int, ids: list[str], reply: int
) -> None:
    """A worker that died put some of them; the rest comes behind."""
    await redis.rpush(KEYS.items, "a", "b", "c")
    assert await slot.write("put-items", [KEYS.items], 20, [known, *ids]) == reply
    expected = [b"a", b"b", b"c", *(item.encode() for item in ids[reply:])]
    assert await redis.lrange(KEYS.items, 0, -1) == expected


@pytest.mark.parametrize(
    ("known", "ids", "says"),
    [
        (0, ["x"], "holds other items than the log"),
        (0, ["a", "x", "c"], "holds other items than the log"),
        (2, ["x", "d"], "holds other items than the log"),
        (4, ["e"], "shorter than the stored position says"),
        (5, ["e", "f"], "shorter than the stored position says"),
    ],
)
async def test_other_items_are_refused_and_nothing_is_written(
    redis: Redis, slot: Slot, everything: Everything, known: int, ids: list[str], says: str
) -> None:
    """They are those of another log, or some are lost."""
    await redis.rpush(KEYS.items, "a", "b", "c")
    before = await everything()
    with pytest.raises(StateError, match=says):
        await slot.write("put-items", [KEYS.items], 20, [known, *ids])
    assert await everything() == before


@pytest.mark.parametrize("script", NOTES)
@pytest.mark.parametrize("owner", ["you", ""])
async def test_who_has_not_claimed_a_slot_notes_nothing(
    redis: Redis, slot: Slot, everything: Everything, script: str, owner: str
) -> None:
    """Also where no worker has."""
    for claimed in (False, True):
        if claimed:
            await slot.ownership.claim("me")
        before = await everything()
        keys = [KEYS.head, KEYS.audience, KEYS.due]
        assert await run(redis, script, keys, [owner, *NOTES[script]]) == -1
        assert await everything() == before


@pytest.mark.parametrize("script", ["mark-pending", "complete-lists"])
@pytest.mark.parametrize("key", [KEYS.audience, KEYS.due])
async def test_a_note_in_a_key_of_another_type_changes_nothing(
    redis: Redis, slot: Slot, everything: Everything, script: str, key: str
) -> None:
    """Another program wrote there: the other key as little as the head is written."""
    await slot.ownership.claim("me")
    keys = [KEYS.head, KEYS.audience, KEYS.due]
    await run(redis, "mark-pending", keys, ["me", *NOTES["mark-pending"]])
    await redis.delete(key)
    await redis.xadd(key, {"a": "stream"})
    before = await everything()
    with pytest.raises(StateError, match="WRONGTYPE"):
        await run(redis, script, keys, ["me", *NOTES[script]])
    assert await everything() == before


@pytest.mark.parametrize(
    ("script", "key", "values"),
    [
        ("mark-pending", KEYS.audience, [2, "[]", "", 1, '["u","v"]']),
        ("complete-lists", KEYS.audience, [0, '["1"]', "7:9", "[]"]),
        ("complete-lists", KEYS.due, [0, "[]", "7:9", '["u"]']),
    ],
)
async def test_a_key_of_another_type_is_refused_even_if_nothing_would_be_written_there(
    redis: Redis,
    slot: Slot,
    everything: Everything,
    script: str,
    key: str,
    values: list[Value],
) -> None:
    """The batch changes no time, no batch is complete, or no user leaves the index."""
    await slot.ownership.claim("me")
    keys = [KEYS.head, KEYS.audience, KEYS.due]
    await run(redis, "mark-pending", keys, ["me", *NOTES["mark-pending"]])
    await redis.delete(key)
    await redis.xadd(key, {"a": "stream"})
    before = await everything()
    with pytest.raises(StateError, match="WRONGTYPE"):
        await run(redis, script, keys, ["me", *values])
    assert await everything() == before


async def test_a_field_is_set_by_the_owner(redis: Redis, slot: Slot) -> None:
    """The reply says so."""
    await slot.ownership.claim("me")
    assert await run(redis, "set-field", [KEYS.head], ["me", "seen", "7:9"]) == 0
    assert await redis.hget(KEYS.head, "seen") == b"7:9"


@pytest.mark.parametrize("fields", [[], ["a", "1"], ["a", "1", "b", "2", "c", "3"]])
async def test_a_commit_sets_every_field(redis: Redis, slot: Slot, fields: list[Value]) -> None:
    """And the position; it returns the position before."""
    assert slot.keys == KEYS
    keys, count = [KEYS.head, KEYS.items], len(fields) // 2
    assert await run(redis, "commit", keys, ["g", 10, 20, "", count, *fields, 0]) == 10
    stored: Any = await redis.hgetall(KEYS.head)
    names = [str(name).encode() for name in fields[::2]]
    assert [stored.pop(name) for name in names] == [str(one).encode() for one in fields[1::2]]
    made = {b"generation": b"g", b"results": b"", b"begun": b"10"}
    assert stored == {b"position": b"20", **made}


@pytest.mark.parametrize(
    ("leading", "reply"),
    [(["h", 10, 20, ""], -1), (["g", 9, 20, ""], 10), (["g", 10, 20, "other"], -2)],
)
async def test_a_commit_that_is_refused_says_why_and_changes_nothing(
    redis: Redis, slot: Slot, everything: Everything, leading: list[Value], reply: int
) -> None:
    """Another state, another position, another write."""
    assert slot.keys == KEYS
    before = await everything()
    keys = [KEYS.head, KEYS.items]
    assert await run(redis, "commit", keys, [*leading, 1, "a", "1", 0]) == reply
    assert await everything() == before


async def test_users_are_due_by_their_round_until_it_is_over(redis: Redis, slot: Slot) -> None:
    """When a list is removed is noted, or left as it is."""
    await slot.ownership.claim("me")
    keys = [KEYS.head, KEYS.audience, KEYS.due]

    async def fields() -> list[dict[Any, Any]]:
        return [await redis.hgetall(key) for key in (KEYS.audience, KEYS.due)]

    assert await run(redis, "mark-pending", keys, ["me", 2, "[]", 300, 1, '["u","v"]']) == 0
    assert await fields() == [{b"u": b"300", b"v": b"300"}, {b"1": b'["u","v"]'}]
    assert await run(redis, "mark-pending", keys, ["me", 3, '["1"]', "", 2, '["v","w"]']) == 0
    assert await fields() == [{b"u": b"300", b"v": b"300"}, {b"2": b'["v","w"]'}]
    assert await redis.hget(KEYS.head, "due_users") == b"3"
    assert await run(redis, "complete-lists", keys, ["me", 1, "[]", "", "[]"]) == 0
    assert await fields() == [{b"u": b"300", b"v": b"300"}, {b"2": b'["v","w"]'}]
    assert await redis.hmget(KEYS.head, "due_users", "seen") == [b"1", None]
    assert await run(redis, "complete-lists", keys, ["me", 0, '["2"]', "7:9", '["u"]']) == 0
    assert await fields() == [{b"v": b"300"}, {}]
    assert await redis.hmget(KEYS.head, "due_users", "seen") == [b"0", b"7:9"]


async def test_a_script_is_loaded_where_the_server_lost_it(redis: Redis, slot: Slot) -> None:
    """A restart forgets all of them; the call is made all the same."""
    await slot.blobs.put(20, [("a", b"one")])
    await redis.script_flush()
    await slot.blobs.put(30, [("a", b"two")])
    assert await slot.blobs.read(["a"]) == [(30, b"two")]


async def test_a_position_of_more_than_four_bytes_is_compared_whole(
    redis: Redis, slot: Slot
) -> None:
    """Offsets of years of events; all of them are below two to the power of 53."""
    assert slot.keys == SlotKeys("s:", "u0")
    far = 1 << 50
    await slot.blobs.put(far, [("a", b"newer")])
    assert await slot.blobs.put(far - 1, [("a", b"older")]) == 1
    assert await slot.blobs.put(far, [("a", b"equal")]) == 0
    assert await slot.blobs.read(["a"]) == [(far, b"equal")]
    assert await redis.strlen(KEYS.blob("a")) == 8 + 5


@pytest.mark.parametrize("size", [0, 1, 7])
async def test_bytes_that_hold_no_position_are_older_than_any_blob(
    redis: Redis, slot: Slot, size: int
) -> None:
    """Another program wrote them, or they are damaged."""
    await redis.set(KEYS.blob("a"), b"x" * size)
    assert await slot.write("put-blobs", [KEYS.blob("a")], 0, [86_400, BLOB]) == 0
    assert await redis.get(KEYS.blob("a")) == BLOB
    assert await redis.hmget(KEYS.head, "blobs", "blob_bytes") == [b"1", b"%d" % len(BLOB)]


async def test_a_write_says_how_many_newer_blobs_and_records_it_left_out(slot: Slot) -> None:
    """Of three, two are newer; the third is written."""
    newer, older = b"\0" * 7 + b"\x1e...", b"\0" * 7 + b"\x14..."
    size = len(newer)
    blobs = [KEYS.blob(name) for name in "abc"]
    column = [KEYS.norms]
    records: list[Value] = [0, newer, size, newer]
    assert await slot.write("put-records", column, 30, records) == 0
    records = [0, older, size, older, 99, older]
    assert await slot.write("put-records", column, 20, records) == 2
    assert await slot.write("put-blobs", blobs[:2], 30, [86_400, newer, newer]) == 0
    assert await slot.write("put-blobs", blobs, 20, [86_400, older, older, older]) == 2


async def test_the_largest_position_of_content_is_kept_from_the_first_write_on(
    redis: Redis, slot: Slot
) -> None:
    """A missing field means that no write was later than position 0."""
    await slot.write("put-content", [KEYS.content], 0, ["a", b"one"])
    assert await redis.hgetall(KEYS.content) == {b"a": b"one"}
    await slot.write("put-content", [KEYS.content], 1, ["a", b"two"])
    assert await redis.hgetall(KEYS.content) == {b"": b"1", b"a": b"two"}


async def test_a_reply_says_of_each_list_whether_it_was_replaced(redis: Redis) -> None:
    """1 if it was, 0 if a later one or its tombstone is stored, the list if its seq is the same."""
    names = ("older", "none", "later", "same", "gone", "gone before", "gone at the same seq")
    keys = [key for name in names for key in (name, f"gone:{name}")]
    stored = {"older": 4, "later": 6, "same": 5, "gone:gone": 6, "gone:gone before": 4,
              "gone:gone at the same seq": 5}  # fmt: skip
    for key, seq in stored.items():
        await redis.set(key, seq if key.startswith("gone:") else f'{{"seq":{seq}}}')
    sizes = b"\1\0\0\0" * len(names)
    lists = b"abcdefg"
    assert await run(redis, "replace-lists", keys, [5, 60, b"", sizes, lists]) == [
        1, 1, 0, b'{"seq":5}', 0, 1, 1,
    ]  # fmt: skip
    assert await redis.mget(names) == [
        b"a", b"b", b'{"seq":6}', b'{"seq":5}', None, b"f", b"g",
    ]  # fmt: skip
    empty = b"\0\0\0\0"
    assert await run(redis, "replace-lists", keys[:2], [6, 60, b"", empty, b""]) == [1]
    assert await redis.mget(keys[:2]) == [None, b"6"]
    assert 50 < await redis.ttl(keys[1]) <= 60


async def test_a_reply_says_of_each_list_whether_it_lives(redis: Redis) -> None:
    """Also of a list that keeps a later time."""
    now, _ = await redis.time()
    for name, at in (("soon", now + 60), ("late", now + 900)):
        await redis.set(name, "x", exat=at)
    times = b"".join((now + 300).to_bytes(8, "little") for _ in range(3))
    keys = ["soon", "none", "late"]
    assert await run(redis, "extend-list-expiry", keys, [times]) == [1, 0, 1]
    assert [await redis.expiretime(key) for key in keys] == [now + 300, -2, now + 900]


async def test_a_second_tick_is_one_later_than_the_first(redis: Redis, slot: Slot) -> None:
    """Each tick is stored whole, however large, and later than any time that must have passed."""
    await slot.ownership.claim("me")
    far = 9_007_199_254_740_000
    await redis.hset(KEYS.head, "tick", far)
    for number in (1, 2, 3):
        assert await run(redis, "next-timestamp", [KEYS.head], ["me", 0]) == far + number
        assert await redis.hget(KEYS.head, "tick") == b"%d" % (far + number)
    assert await run(redis, "next-timestamp", [KEYS.head], ["me", far + 3]) == far + 4
    assert await run(redis, "next-timestamp", [KEYS.head], ["me", far + 9]) == far + 10
