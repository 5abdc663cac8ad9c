"""Reads parts of partitions from one offset to another, a bounded number of records at a time."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from streamapp.config.settings import Settings
from streamapp.errors import UnansweredError
from streamapp.transport.connection import client_options
from streamapp.transport.consuming.lenient_headers import read_any_name
from streamapp.transport.records import TP, KafkaRecord

_MOST_RECORDS = 500
"""Most records that are handed over at a time."""

_FETCH_BYTES = 1_048_576
"""Bytes of one answer; a single larger record still comes."""

_PATIENCE_S = 60.0
"""Longest wait for the next records; a broker needs less to come back."""


class Span(NamedTuple):
    """A part of a partition.

    Attributes:
        tp: The partition.
        start: The first offset.
        end: The offset behind the last one.
    """

    tp: TP
    start: int
    end: int


async def scan(
    settings: Settings, spans: Sequence[Span]
) -> AsyncGenerator[tuple[Span, list[KafkaRecord], int], None]:
    """Yield the records of spans in order: the span, some records, and the offset behind them.

    An offset without a record is passed. A caller that stops early closes the generator.

    Raises:
        KafkaError: no broker can be reached.
        UnansweredError: a broker does not send the next records within a minute.

    Memory: some records of one partition, with a few megabytes or one record.
    """
    # The client fails to stop if it is stopped before it did anything.
    if not (spans := [span for span in spans if span.start < span.end]):
        return
    read_any_name()
    consumer = AIOKafkaConsumer(
        **client_options(settings),
        fetch_max_wait_ms=settings.fetch_max_wait_ms,
        # Records that expire while they are read are passed.
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=_FETCH_BYTES,
        # As workers read: a record of an aborted transaction was never sent.
        isolation_level="read_committed",
    )
    await consumer.start()
    try:
        for span in spans:
            tp = TopicPartition(*span.tp)
            consumer.assign([tp])
            consumer.seek(tp, span.start)
            position = span.start
            while position < span.end:
                fetched, position = await _next(consumer, tp, position)
                records = [one for one in fetched if span.start <= one.offset < span.end]
                yield span, records, min(position, span.end)
    except TimeoutError:
        raise UnansweredError(f"kafka does not send the records of {span.tp.topic}") from None
    finally:
        await consumer.stop()


async def _next(
    consumer: AIOKafkaConsumer, tp: TopicPartition, position: int
) -> tuple[list[KafkaRecord], int]:
    """Return the next records, and the position behind them, which has moved."""
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            fetched = await consumer.getmany(tp, timeout_ms=1_000, max_records=_MOST_RECORDS)
            moved = await consumer.position(tp)
            if moved > position:
                return fetched.get(tp, []), moved
