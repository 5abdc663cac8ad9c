"""Reads topics from their first record to their end: how much they hold, and since when."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streamapp.config.settings import Settings
from streamapp.pipelines import pipelines
from streamapp.transport.connection import client_options
from streamapp.transport.offsets import read_offsets
from streamapp.transport.records import TP

_WAIT_MS = 100
_READ_BYTES = 16_777_216


@dataclass(frozen=True, slots=True)
class Held:
    """The content of topics.

    Attributes:
        messages: How many messages they hold.
        bytes: Bytes of the keys and values of all messages.
    """

    messages: int
    bytes: int


def internal_messages(settings: Settings) -> dict[str, Held]:
    """Return what each internal topic holds, by its name."""
    return asyncio.run(_internal_messages(settings))


def first_since(
    settings: Settings, tps: Sequence[TP], wall_s: Sequence[float]
) -> list[list[int | None]]:
    """Return for each moment the offset of the first record of each partition that is not older.

    Records have the time at which their producer sent them. A partition without such a record has
    None.

    Args:
        settings: Where Kafka is.
        tps: The partitions.
        wall_s: The moments, as Unix time in seconds.
    """
    return asyncio.run(_first_since(settings, tps, wall_s))


async def _internal_messages(settings: Settings) -> dict[str, Held]:
    found = {}
    for topic in (name for one in pipelines(settings).values() for name in one.internal_topics):
        tps = [TP(topic, number) for number in range(settings.partitions)]
        messages = size = 0
        async for _, records in _read(settings, tps):
            messages += len(records)
            size += sum(len(record.key or b"") + len(record.value or b"") for record in records)
        found[topic] = Held(messages, size)
    return found


async def _first_since(
    settings: Settings, tps: Sequence[TP], wall_s: Sequence[float]
) -> list[list[int | None]]:
    found: list[dict[TP, int]] = [{} for _ in wall_s]
    async for tp, records in _read(settings, tps):
        for first, since_s in zip(found, wall_s, strict=True):
            if tp in first:
                continue
            newer = (record.offset for record in records if record.timestamp >= since_s * 1000)
            if (offset := next(newer, None)) is not None:
                first[tp] = offset
    return [[first.get(tp) for tp in tps] for first in found]


async def _read(settings: Settings, tps: Sequence[TP]) -> AsyncIterator[tuple[TP, list[Any]]]:
    """Yield the records of partitions, up to the ends that these have now."""
    known = await read_offsets(settings, tps, {})
    ends = {TopicPartition(*tp): one.end for tp, one in known.items() if one.end > one.beginning}
    async with AIOKafkaConsumer(
        **client_options(settings),
        fetch_max_wait_ms=_WAIT_MS,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=_READ_BYTES,
    ) as consumer:
        consumer.assign(list(ends))
        await consumer.seek_to_beginning(*ends)
        left = set(ends)
        while left:
            for tp, records in (await consumer.getmany(*left, timeout_ms=_WAIT_MS)).items():
                yield TP(*tp), records
            for tp in list(left):
                if await consumer.position(tp) >= ends[tp]:
                    left.discard(tp)
