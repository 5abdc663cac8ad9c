"""Where partitions begin and end."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError

from streamapp.config.settings import Settings
from streamapp.errors import StateError, UnansweredError
from streamapp.transport.lenient_headers import read_any_name
from streamapp.transport.records import TP, Offsets, RecordFingerprint

_PATIENCE_S = 60.0
"""Longer than a broker needs to come back."""

_RETRY_S = 0.2


@asynccontextmanager
async def observer(settings: Settings, question: str) -> AsyncIterator[AIOKafkaConsumer]:
    """Yield a consumer that belongs to no group; wait for a broker that is not there.

    Args:
        settings: Where Kafka is.
        question: What Kafka is asked, for the message.

    Raises:
        UnansweredError: what is done with the consumer takes longer than `_PATIENCE_S`.
    """
    read_any_name()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap,
        fetch_max_wait_ms=settings.fetch_max_wait_ms,
        auto_offset_reset="none",
        enable_auto_commit=False,
        max_partition_fetch_bytes=65_536,
        isolation_level="read_committed",
    )
    try:
        async with asyncio.timeout(_PATIENCE_S):
            try:
                await _start(consumer)
                yield consumer
            finally:
                await consumer.stop()
    except TimeoutError:
        raise UnansweredError(f"kafka does not say {question}") from None


async def _start(consumer: AIOKafkaConsumer) -> None:
    """Start a consumer, again and again while no broker answers."""
    while True:
        try:
            await consumer.start()
        except KafkaConnectionError:
            await asyncio.sleep(_RETRY_S)
        else:
            return


async def read_offsets(
    settings: Settings, tps: Iterable[TP], committed: Mapping[TP, int | None]
) -> dict[TP, Offsets]:
    """Return what Kafka says of partitions.

    The end is what a fetch reports: the embedded broker answers the question for the latest offset
    with the first offset of the last batch.

    Raises:
        StateError: the broker does not answer within `_PATIENCE_S`.
    """
    wanted = [TopicPartition(tp.topic, tp.partition) for tp in tps]
    if not wanted:
        return {}
    async with observer(settings, f"where {wanted[0].topic} ends") as consumer:
        beginnings = await consumer.beginning_offsets(wanted)
        latest = await consumer.end_offsets(wanted)
        consumer.assign(wanted)
        for tp in wanted:
            consumer.seek(tp, latest[tp])
        while any(consumer.highwater(tp) is None for tp in wanted):
            await consumer.getmany(timeout_ms=settings.fetch_max_wait_ms)
        ends = {tp: max(latest[tp], consumer.highwater(tp)) for tp in wanted}
    return {TP(*tp): Offsets(beginnings[tp], ends[tp], committed.get(TP(*tp))) for tp in wanted}


async def pass_gaps(settings: Settings, positions: Mapping[TP, int]) -> dict[TP, int]:
    """Return the offset of the next record from each position on, or where such are to come.

    The marks of transactions use offsets, and records of aborted ones are none: a position behind
    the last record may lie before the end of its partition for ever.

    Raises:
        StateError: the broker does not answer within `_PATIENCE_S`.
    """
    passed: dict[TP, int] = {}
    if not positions:
        return passed
    async with observer(settings, "what comes next in the event topics") as consumer:
        left = {TopicPartition(*tp) for tp in positions}
        consumer.assign(left)
        for tp in left:
            consumer.seek(tp, positions[TP(*tp)])
        while left:
            fetched = await consumer.getmany(*left, timeout_ms=settings.fetch_max_wait_ms)
            for tp in list(left):
                end = consumer.last_stable_offset(tp)
                at = fetched[tp][0].offset if tp in fetched else await consumer.position(tp)
                if tp in fetched or (end is not None and at >= end):
                    passed[TP(*tp)] = at
                    left.remove(tp)
    return passed


async def check_marks(settings: Settings, marks: Mapping[TP, RecordFingerprint]) -> None:
    """Refuse partitions whose record at a mark is another one than was applied.

    A record that the topic no longer keeps cannot be compared and is taken for granted.

    Raises:
        StateError: a topic was made anew under its old name.
        UnansweredError: the broker does not answer within `_PATIENCE_S`.
    """
    if not marks:
        return
    async with observer(settings, "which records it holds") as consumer:
        beginnings = await consumer.beginning_offsets([TopicPartition(*tp) for tp in marks])
        left = {TopicPartition(*tp): mark for tp, mark in marks.items()
                if mark.offset >= beginnings[TopicPartition(*tp)]}  # fmt: skip
        consumer.assign(list(left))
        for tp, mark in left.items():
            consumer.seek(tp, mark.offset)
        while left:
            fetched = await consumer.getmany(*left, timeout_ms=settings.fetch_max_wait_ms)
            for tp, mark in list(left.items()):
                end = consumer.highwater(tp)
                if tp in fetched:
                    found = fetched[tp][0]
                    same = found.offset > mark.offset or RecordFingerprint.of(found) == mark
                elif end is not None and end <= mark.offset:
                    same = False
                else:
                    continue
                del left[tp]
                if not same:
                    raise StateError(
                        f"{tp.topic}[{tp.partition}] does not hold the record at offset "
                        f"{mark.offset} that was applied: the topic was made anew. "
                        "Use another GROUP_ID and STATE_PREFIX to start anew"
                    )
