"""Questions to Kafka about partitions: where they begin and end, and what they hold."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError

from streamapp.config.settings import Settings
from streamapp.errors import StateError, UnansweredError
from streamapp.transport.connection import client_options
from streamapp.transport.consuming.lenient_headers import read_any_name
from streamapp.transport.records import TP, Offsets, RecordFingerprint

_PATIENCE_S = 60.0
"""Longest wait for an answer; a broker needs less to come back."""

_RETRY_S = 0.2


@asynccontextmanager
async def observer(settings: Settings, question: str) -> AsyncIterator[AIOKafkaConsumer]:
    """Yield a consumer outside any group; wait while no broker answers.

    Args:
        settings: Where Kafka is.
        question: The question to Kafka, for the error message.

    Raises:
        UnansweredError: the body of the `with` takes longer than `_PATIENCE_S`.
    """
    read_any_name()
    consumer = AIOKafkaConsumer(
        **client_options(settings),
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
    """Start a consumer; try again while no broker answers."""
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
    """Return the offsets that Kafka knows of partitions.

    The end is the larger one of two answers. A fetch reports it exactly. Tansu, the embedded
    broker, answers the question for the latest offset with the first offset of the last batch.

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
    """Return the offset of the next record from each position on, or of the end.

    Transaction markers and records of aborted transactions use offsets, but are never read. So a
    position behind the last record may stay below the end of its partition for ever.

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


async def check_fingerprints(
    settings: Settings, fingerprints: Mapping[TP, RecordFingerprint]
) -> None:
    """Refuse partitions that hold another record at an offset than the one that was applied.

    A record that the topic no longer keeps cannot be compared; it counts as equal.

    Raises:
        StateError: a topic was deleted and made again under its name.
        UnansweredError: the broker does not answer within `_PATIENCE_S`.
    """
    if not fingerprints:
        return
    async with observer(settings, "which records it holds") as consumer:
        beginnings = await consumer.beginning_offsets([TopicPartition(*tp) for tp in fingerprints])
        left = {
            TopicPartition(*tp): fingerprint
            for tp, fingerprint in fingerprints.items()
            if fingerprint.offset >= beginnings[TopicPartition(*tp)]
        }
        consumer.assign(list(left))
        for tp, fingerprint in left.items():
            consumer.seek(tp, fingerprint.offset)
        while left:
            fetched = await consumer.getmany(*left, timeout_ms=settings.fetch_max_wait_ms)
            for tp, fingerprint in list(left.items()):
                end = consumer.highwater(tp)
                if tp in fetched:
                    found = fetched[tp][0]
                    same = (
                        found.offset > fingerprint.offset
                        or RecordFingerprint.of(found) == fingerprint
                    )
                elif end is not None and end <= fingerprint.offset:
                    same = False
                else:
                    continue
                del left[tp]
                if not same:
                    raise StateError(
                        f"{tp.topic}[{tp.partition}] does not hold the record at offset "
                        f"{fingerprint.offset} that was applied: the topic was created again. "
                        "Use another GROUP_ID and STATE_PREFIX to start from scratch"
                    )
