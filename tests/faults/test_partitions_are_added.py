"""A topic gets more partitions: those of events count, others are refused.

With more partitions of an internal topic, users or items would change theirs.
"""

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewPartitions

from streamapp.transport.topics import administration
from tests.faults.shop import exact, wait_applied
from tests.integration.traffic import Act, event, produce
from tests.servers.deployment import Deployment

pytestmark = [pytest.mark.kafka, pytest.mark.full]

_STOPS_S = 120.0
"""Clients ask for the partitions of their topics twice a minute."""


async def grow(deployment: Deployment, kind: str) -> str:
    """Give a topic a third partition; return the worker's message."""
    topic = f"{deployment.name}-{kind}"
    async with administration(deployment.settings) as admin:
        await admin.create_partitions({topic: NewPartitions(3)})
    return f"streamapp: {topic} has 3 partitions, the state was begun with 2"


@pytest.mark.parametrize("kind", ["interactions"])
async def test_a_worker_refuses_to_start_and_a_running_one_stops(
    deployment: Deployment, kind: str
) -> None:
    """Exit code 2 and what to do, in one line, for both."""
    if deployment.servers.backend == "embedded":
        pytest.skip("the embedded broker cannot add partitions")
    deployment.env["STREAMAPP_PARTITIONS"] = "2"
    one = await asyncio.to_thread(deployment.worker, "one")
    await produce(deployment, [event("u1", "a"), event("u2", "b")])
    await asyncio.to_thread(wait_applied, deployment, 2)

    refusal = await grow(deployment, kind)
    two = deployment.idle_worker("two")
    two.launch()

    for worker in (two, one):
        assert await asyncio.to_thread(worker.wait, _STOPS_S) == 2
        last = worker.output.splitlines()[-1]
        assert last.startswith(refusal), last
        assert "Make the topic with 2 partitions" in last


async def test_a_topic_of_events_grows_and_everything_counts(deployment: Deployment) -> None:
    """Under a running worker, and before the next start; each worker says so in one line."""
    if deployment.servers.backend == "embedded":
        pytest.skip("the embedded broker cannot add partitions")
    deployment.env["STREAMAPP_PARTITIONS"] = "2"
    one = await asyncio.to_thread(deployment.worker, "one")
    acts = [Act(f"u{n % 9}", f"i{n % 7}", "click", 1_600_000_000.0 + n) for n in range(60)]
    await produce(deployment, [event(act.user, act.item, ts=act.ts) for act in acts[:20]])
    await asyncio.to_thread(wait_applied, deployment, 20)

    await grow(deployment, "clicks")
    await send_to(deployment, 2, acts[20:40])
    await asyncio.to_thread(wait_applied, deployment, 40)
    assert one.running
    assert one.output.count("-clicks has 3 partitions, 1 more than before") == 1
    assert await asyncio.to_thread(one.terminate) == 0

    async with administration(deployment.settings) as admin:
        await admin.create_partitions({f"{deployment.name}-clicks": NewPartitions(4)})
    await send_to(deployment, 3, acts[40:])
    two = await asyncio.to_thread(deployment.worker, "two")
    await asyncio.to_thread(wait_applied, deployment, 60)
    assert two.output.count("-clicks has 4 partitions, 1 more than before") == 1
    await asyncio.to_thread(exact, deployment, acts)


async def send_to(deployment: Deployment, partition: int, acts: Sequence[Act]) -> None:
    """Send acts to one partition of the clicks."""
    producer = AIOKafkaProducer(bootstrap_servers=deployment.servers.bootstrap)
    await producer.start()
    try:
        for act in acts:
            sent = event(act.user, act.item, ts=act.ts)
            await producer.send_and_wait(
                f"{deployment.name}-clicks", sent.value, sent.key, partition
            )
    finally:
        await producer.stop()
