"""The intake stage without a partition task: positions follow what was sent in the background."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from streamapp.agents.intake.stage import IntakeStage
from streamapp.agents.scheduling import due_time
from streamapp.agents.scheduling.due_time import NEVER
from streamapp.core.list_kinds import BOUGHT_AFTER_VIEW, BOUGHT_TOGETHER
from streamapp.core.messages.interaction_batch import decode_interactions
from streamapp.core.messages.message_size import MAX_MESSAGE_BYTES
from streamapp.errors import PositionMovedError
from streamapp.pipelines import pipelines
from streamapp.store.slot.slot import Slot
from streamapp.transport.records import TP, Offsets, RecordBatch
from tests.component.harness.stages import Broker, context, record

WITHIN_S = 20.0
MAIN = "streamapp-interactions"
FIRST, SECOND = TP("clicks", 0), TP("clicks", 1)
KNOWN = {tp: Offsets(0, 9, None) for tp in (FIRST, SECOND)}


class Gate:
    """Holds back the moves of a partition's position."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tp: TP) -> None:
        self.open = asyncio.Event()
        self.open.set()
        commit = Slot.commit

        async def held(slot: Slot, *args: Any) -> None:
            if f"{tp.topic}:{tp.partition}" in slot.keys.head:
                await self.open.wait()
            await commit(slot, *args)

        monkeypatch.setattr(Slot, "commit", held)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """The gate of the second partition, which is open."""
    return Gate(monkeypatch, SECOND)


async def opened(redis: Redis, broker: Broker) -> IntakeStage:
    """Return an intake that has opened both partitions."""
    around = await context(redis, broker)
    await redis.hset("s:layout", "clicks", "2")
    return await IntakeStage.open(around, KNOWN, lists_suspect=False)


def positions(intake: IntakeStage) -> dict[TP, int]:
    """Return where an intake goes on."""
    return {tp: intake.position(tp) for tp in KNOWN}


@pytest.fixture
async def intake(redis: Redis, gate: Gate) -> AsyncIterator[IntakeStage]:
    """An intake that has opened both partitions."""
    made = await opened(redis, Broker())
    yield made
    gate.open.set()
    await made.close()


def clicks(tp: TP, *offsets: int, **about: Any) -> RecordBatch:
    """Return a batch of clicks."""
    value = orjson.dumps({"user_id": "u", "item_id": "a", "type": "click", "ts": 1.7e9, **about})
    return RecordBatch(tp, [record(offset, value, key=b"u") for offset in offsets], 0)


async def position(redis: Redis, tp: TP) -> int:
    """Return the stored position."""
    return int(await redis.hget(f"s:{{e:{tp.topic}:{tp.partition}}}:head", "position") or 0)


async def test_a_cut_does_not_wait_for_the_position_of_the_one_before(
    intake: IntakeStage, redis: Redis, gate: Gate
) -> None:
    """The next cut is made meanwhile; only the stored position counts as stored."""
    gate.open.clear()
    await intake.apply([clicks(SECOND, 0, 1)])
    assert (intake.position(SECOND), intake.stored_position(SECOND)) == (2, 0)
    sending = asyncio.create_task(intake.apply([clicks(SECOND, 2)]))
    deadline = time.monotonic() + WITHIN_S
    while intake.position(SECOND) < 3:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)
    assert (sending.done(), intake.stored_position(SECOND), await position(redis, SECOND)) == (
        False,
        0,
        0,
    )

    gate.open.set()
    await sending
    await intake.finish()
    assert (intake.stored_position(SECOND), await position(redis, SECOND)) == (3, 3)


async def test_a_position_that_somebody_else_moved_is_found(
    intake: IntakeStage, redis: Redis
) -> None:
    """By the next cut, or when no record comes."""
    await redis.hset(f"s:{{e:{FIRST.topic}:0}}:head", "position", 7)
    await intake.apply([clicks(FIRST, 0)])
    with pytest.raises(PositionMovedError):
        await intake.apply([clicks(FIRST, 1)])
    again = await opened(redis, Broker())
    assert positions(again) == {FIRST: 7, SECOND: 0}

    assert [slot.position for slot in again.slots] == [7, 0]


async def test_no_earlier_move_changes_a_position_that_was_read_again(
    intake: IntakeStage, redis: Redis, gate: Gate
) -> None:
    """The error of one partition is raised when no other move is still running."""
    gate.open.clear()
    await redis.hset(f"s:{{e:{FIRST.topic}:0}}:head", "position", 7)
    await intake.apply([clicks(FIRST, 0), clicks(SECOND, *range(5))])
    assert await intake.work(busy=False) == NEVER
    gate.open.set()
    deadline = time.monotonic() + WITHIN_S
    while intake._moving.is_running:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)
    with pytest.raises(PositionMovedError):
        await intake.work(busy=False)
    again = await opened(redis, Broker())
    assert positions(again) == {FIRST: 7, SECOND: 5}
    assert await position(redis, SECOND) == again.stored_position(SECOND) == 5


def behind(tp: TP, records: int, *offsets: int) -> RecordBatch:
    """Return a batch of clicks, read when there were so many records left."""
    return replace(clicks(tp, *offsets), backlog=records)


async def test_an_intake_that_is_far_behind_sends_fewer_and_larger_batches(redis: Redis) -> None:
    """A draft waits while many more records are left than a fourth of it."""
    broker = Broker()
    intake = await opened(redis, broker)
    await intake.apply([behind(FIRST, 9_999, 0, 1), behind(SECOND, 2_001, 0)])
    assert 0 < await intake.work(busy=False) <= 2
    assert await intake.work(busy=True) <= 2
    assert (broker.taken, positions(intake)) == ({}, {FIRST: 2, SECOND: 1})
    await intake.apply([behind(FIRST, 2_000, 2, 3)])
    (value,) = broker.taken[MAIN, 0]
    assert [one.end for one in decode_interactions(value.value).sources] == [4, 1]
    assert await intake.work(busy=False) == NEVER
    await intake.finish()


async def test_records_that_do_not_come_hold_nothing_back(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Kafka says that it has may be markers of transactions, or its broker is away."""
    broker = Broker()
    intake = await opened(redis, broker)
    await intake.apply([behind(FIRST, 2_001, 0)])
    later = time.monotonic() + 2
    monkeypatch.setattr(due_time, "time", SimpleNamespace(monotonic=lambda: later))
    # More records wait already.
    await intake.work(busy=True)
    assert broker.taken == {}
    assert await intake.work(busy=False) == NEVER
    assert len(broker.taken[MAIN, 0]) == 1
    await intake.finish()


async def test_an_intake_that_stops_sends_what_it_has_read(redis: Redis) -> None:
    """Then the next owner reads none of it again."""
    broker = Broker()
    intake = await opened(redis, broker)
    await intake.apply([behind(FIRST, 2_001, 0)])
    await intake.finish()
    assert len(broker.taken[MAIN, 0]) == 1
    assert await position(redis, FIRST) == 1


async def test_a_dead_letter_that_was_one_before_names_the_reason_of_now(redis: Redis) -> None:
    """A reader that takes the first header of a name takes the only one."""
    broker = Broker()
    intake = await opened(redis, broker)
    headers = [("error.code", b"not_json"), ("trace", b"t"), ("error.code", b"older")]
    again = record(0, b"null", key=b"u", headers=headers)
    await intake.apply([RecordBatch(FIRST, [again], 0)])
    await intake.finish()
    ((letter,),) = [some for (topic, _), some in broker.taken.items() if topic == "clicks.dlq"]
    assert [name for name, _ in letter.headers].count("error.code") == 1
    assert dict(letter.headers)["error.code"] == b"not_an_event"
    assert dict(letter.headers)["trace"] == b"t"


async def test_a_draft_of_dead_letters_is_sent_before_it_fills_the_memory(redis: Redis) -> None:
    """With many partitions a draft may have megabytes of records, and a letter is larger."""
    broker = Broker()
    around = await context(redis, broker)
    await redis.hset("s:layout", mapping={"clicks": "2", MAIN: "64"})
    intake = await IntakeStage.open(around, KNOWN, lists_suspect=False)
    sent: list[int] = []
    deliver = broker.deliver

    async def counted(messages: Any) -> dict[Any, int]:
        sent.append(sum(len(some) for (topic, _), some in messages.items() if "dlq" in topic))
        return await deliver(messages)

    broker.deliver = counted  # type: ignore[method-assign]
    records = [record(offset, b"", key=b"u") for offset in range(60_000)]
    await intake.apply([RecordBatch(FIRST, records, 0, backlog=1_000_000)])
    await intake.finish()
    assert sum(sent) == 60_000
    # Records are read in portions, and a portion has up to 15,625 empty ones.
    assert max(sent) < 10_000 + 15_625 + 1


LINE = b"[%d]"
ORDER = b'{"idgoal":0,"uid":"u","ec_id":"o","ec_items":[%b]}'
SKIPPED = b'{"specversion":"1.0","type":"%b","data":[%b]}'


def orders(size: int) -> bytes:
    """Return as many interactions as a record of so many bytes can hold."""
    one = ORDER % b",".join(LINE % number for number in range(100))
    return b'{"requests":[%b]}' % b",".join([one] * (size // (len(one) + 1)))


def unknown(size: int) -> bytes:
    """Return as many events of an unknown type as a record of so many bytes can hold."""
    return SKIPPED % (b"x" * 100, b",".join([b"{}"] * (size // 3 - 100)))


def long_ids(size: int) -> bytes:
    """Return events of the longest ids, in bytes that JSON does not escape."""
    one = b'{"user_id":"%s","item_id":"%s","type":"click","ts":1700000000}'
    ids = [(b"%d" % number).rjust(512, b"i") for number in range(size // 1_100)]
    return b"[%b]" % b",".join(one % (name, name) for name in ids)


@pytest.mark.parametrize(
    ("form", "value", "count"),
    [
        ("matomo", orders(2_097_152), 1),
        ("matomo", orders(400_000), 7),
        ("cloudevents", unknown(500_000), 1),
        ("flat", long_ids(2_097_152), 3),
        ("flat", b"[" + b",".join([b"1"] * 250_000) + b"]", 2),
        ("flat", b"", 40_000),
    ],
)
async def test_no_batch_is_larger_than_a_message_may_be(
    redis: Redis, form: str, value: bytes, count: int
) -> None:
    """Whatever records hold, one beside another or alone; every interaction is in some batch."""
    broker = Broker()
    around = await context(
        redis, broker, event_formats=f"clicks={form}", max_record_bytes=2_097_152,
        bought_together=True, bought_after_view=True,
    )  # fmt: skip
    for topic in pipelines(around.settings).values():
        await redis.hset(f"{topic.state_prefix}layout", topic.interactions_topic, "1")
    generation = f"g:{BOUGHT_TOGETHER}:{BOUGHT_AFTER_VIEW}"
    await redis.hset("s:layout", mapping={"clicks": "2", ":generation": generation})
    intake = await IntakeStage.open(around, KNOWN, lists_suspect=False)
    records = [record(offset, value, key=b"u") for offset in range(count)]
    await intake.apply([RecordBatch(FIRST, records, 0)])
    await intake.finish()
    batches = {topic: some for (topic, _), some in broker.taken.items() if "dlq" not in topic}
    assert batches
    assert all(len(one.value) < MAX_MESSAGE_BYTES for some in batches.values() for one in some)
    ends = [decode_interactions(one.value).sources[-1].end for one in batches[MAIN]]
    assert ends == sorted(set(ends))
    assert ends[-1] == count
