"""Headers whose names are not UTF-8: Kafka takes them, and their records count like any other."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from tests.faults.shop import wait_applied
from tests.integration.traffic import Act, Sent, audited, event, read_topic, succeeded, write_log
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker
from tests.support.batches import Name, builder

ACTS = [Act(f"u{number % 7}", f"i{number % 11}", "click", 1.7e9 + number) for number in range(40)]


async def produce_named(deployment: Deployment, records: Sequence[Sent]) -> None:
    """Send records in one batch, each with a header whose name is not UTF-8."""
    async with AIOKafkaProducer(bootstrap_servers=deployment.servers.bootstrap) as producer:
        batch = producer.create_batch()
        batch._builder = builder()
        for value, key, _ in records:
            headers = [(Name("trace\xff"), b"1"), ("plain", b"2")]
            assert batch.append(timestamp=None, key=key, value=value, headers=headers)
        await (await producer.send_batch(batch, f"{deployment.name}-clicks", partition=0))


@pytest.mark.kafka
@pytest.mark.full
async def test_records_with_such_headers_count_and_their_dead_letters_keep_the_name_escaped(
    deployment: Deployment, worker: Callable[..., Worker], tmp_path: Path
) -> None:
    """While the worker reads them, and when it starts again behind the last of them."""
    one = worker()
    good = [event(act.user, act.item, type=act.type, ts=act.ts) for act in ACTS]
    await produce_named(deployment, [*good[:20], Sent(b"not JSON", b"u1"), good[20]])
    await asyncio.to_thread(wait_applied, deployment, 21)
    assert await asyncio.to_thread(one.terminate) == 0

    await asyncio.to_thread(one.start)
    await produce_named(deployment, good[21:])
    report = await asyncio.to_thread(audited, deployment, [write_log(tmp_path / "log.csv", ACTS)])

    assert report["applied_events"] == len(ACTS)
    assert orjson.loads(succeeded(deployment, "streamapp", "status", "--json"))["dead_letters"] == 1
    (letter,) = await read_topic(deployment, f"{deployment.name}-clicks.dlq")
    assert (letter.value, letter.key) == (b"not JSON", b"u1")
    assert letter.headers[:2] == (("trace\\xff", b"1"), ("plain", b"2"))
