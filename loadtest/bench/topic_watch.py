"""A program that watches the output topic: when each probe's record arrives there."""

import asyncio
import time
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from loadtest.bench.program import heard, say
from loadtest.bench.sighting import Sightings
from streamapp.config.loader import load_settings
from streamapp.transport.connection import client_options
from streamapp.transport.offsets import read_offsets
from streamapp.transport.records import TP

_KIND = b"item:"
_WAIT_MS = 20
"""How long the broker may hold back an empty answer, as for the app."""


async def watch(spec: dict[str, Any]) -> None:
    """Watch until all probes were seen, or it takes too long."""
    settings = load_settings()
    sightings = Sightings(spec["due_s"], spec["shared"])
    tps = [TP(settings.lists_topic, number) for number in range(settings.partitions)]
    ends = await read_offsets(settings, tps, {})
    async with AIOKafkaConsumer(
        **client_options(settings), fetch_max_wait_ms=_WAIT_MS, auto_offset_reset="none"
    ) as consumer:
        consumer.assign([TopicPartition(*tp) for tp in tps])
        for tp, known in ends.items():
            consumer.seek(TopicPartition(*tp), known.end)
        say({"ready": True})
        start_s = heard()["start_s"]
        while not sightings.done and time.monotonic() - start_s <= spec["until_s"]:
            batches = await consumer.getmany(timeout_ms=_WAIT_MS)
            now_s = time.monotonic() - start_s
            for records in batches.values():
                for record in records:
                    if record.key.startswith(_KIND):
                        item = record.key[len(_KIND) :].decode()
                        sightings.look(item, record.value, now_s)
    say(sightings.as_dict())


if __name__ == "__main__":
    asyncio.run(watch(heard()))
