"""The Kafka client and the decoder alone: the ceiling of anything written in Python."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer

from loadtest.bench.program import heard
from loadtest.bench.rivals.lap import Lap, events_in


async def consume(spec: dict[str, Any]) -> None:
    """Read and decode every record."""
    lap = Lap(spec["events"])
    async with AIOKafkaConsumer(
        spec["topic"],
        bootstrap_servers=spec["broker_url"].removeprefix("kafka://"),
        group_id=spec["group"],
        auto_offset_reset="earliest",
        session_timeout_ms=6_000,
        heartbeat_interval_ms=1_000,
        fetch_max_wait_ms=20,
        max_partition_fetch_bytes=4_194_304,
    ) as consumer:
        while True:
            batches = await consumer.getmany(timeout_ms=100, max_records=5_000)
            for records in batches.values():
                events = sum(len(events_in(record.value)) for record in records)
                lap.begin(events)
                if lap.count(events):
                    lap.finish()


if __name__ == "__main__":
    asyncio.run(consume(heard()))
