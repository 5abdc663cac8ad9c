"""A topic gets more partitions: users or items would change theirs, so the worker refuses."""

import asyncio

import pytest
from aiokafka.admin import NewPartitions

from streamapp.transport.topics import administration
from tests.faults.shop import wait_applied
from tests.integration.traffic import event, produce
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


@pytest.mark.parametrize("kind", ["clicks", "interactions"])
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
