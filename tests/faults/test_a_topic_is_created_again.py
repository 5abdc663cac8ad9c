"""A topic is deleted and created again under its name: its offsets mean other records."""

import asyncio
import os
import signal

import pytest

from streamapp.transport.topics import administration, partition_counts
from tests.faults.shop import total
from tests.integration.traffic import event, produce, succeeded
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment

pytestmark = [pytest.mark.kafka, pytest.mark.full]

_STOPS_S = 90.0


def counted(deployment: Deployment, events: int) -> None:
    """Wait until this many events are applied."""
    wait_until(lambda: total(deployment, "u", "applied") == events, 60, "all are applied")


async def topics(deployment: Deployment) -> dict[str, int]:
    """Return the number of partitions of every topic."""
    async with administration(deployment.settings) as admin:
        return await partition_counts(admin)


async def delete(deployment: Deployment, topic: str) -> None:
    """Ask for the end of a topic."""
    async with administration(deployment.settings) as admin:
        await admin.delete_topics([topic])


def create_again(deployment: Deployment, topic: str) -> None:
    """Delete a topic and make all that are missing."""
    asyncio.run(delete(deployment, topic))
    wait_until(lambda: topic not in asyncio.run(topics(deployment)), 60, "the topic is gone")
    succeeded(deployment, "streamapp", "topics")


@pytest.mark.parametrize(
    ("events", "says"), [(3, "was it created again?"), (30, "was created again")]
)
def test_a_worker_names_the_topic_and_stops(deployment: Deployment, events: int, says: str) -> None:
    """Shorter than the position, or longer: one line at the start, exit code 1, nothing applied."""
    deployment.env["STREAMAPP_PARTITIONS"] = "1"
    one = deployment.worker(instance_id="one")
    asyncio.run(produce(deployment, [event("u1", f"a{number}") for number in range(10)]))
    counted(deployment, 10)
    assert one.terminate() == 0

    create_again(deployment, f"{deployment.name}-clicks")
    asyncio.run(produce(deployment, [event("u2", f"b{number}") for number in range(events)]))
    one.launch()

    assert one.wait(_STOPS_S) == 1
    last = one.output.splitlines()[-1]
    assert last.startswith(f"streamapp: {deployment.name}-clicks[0]"), last
    assert says in last
    assert "offset" in last
    assert "GROUP_ID" in last
    assert total(deployment, "u", "applied") == 10


def test_a_topic_created_again_and_as_long_is_noticed_by_a_running_worker(
    deployment: Deployment,
) -> None:
    """Offsets continue as before; the last applied record is compared twice a minute."""
    deployment.env["STREAMAPP_PARTITIONS"] = "1"
    one = deployment.worker(instance_id="one", session_timeout="20")
    asyncio.run(produce(deployment, [event("u1", f"a{number}") for number in range(10)]))
    counted(deployment, 10)

    os.kill(one.pid, signal.SIGSTOP)
    create_again(deployment, f"{deployment.name}-clicks")
    asyncio.run(produce(deployment, [event("u2", f"b{number}") for number in range(30)]))
    os.kill(one.pid, signal.SIGCONT)

    assert one.wait(_STOPS_S) == 1
    last = one.output.splitlines()[-1]
    assert last.startswith(f"streamapp: {deployment.name}-clicks[0] does not hold the record"), last


def test_a_topic_created_again_under_a_running_worker_stops_it(deployment: Deployment) -> None:
    """It stops at the first record of the new topic, and applies none of them."""
    if deployment.servers.backend == "embedded":
        pytest.skip("the embedded broker does not say that an offset lies beyond the end")
    deployment.env["STREAMAPP_PARTITIONS"] = "1"
    one = deployment.worker(instance_id="one")
    asyncio.run(produce(deployment, [event("u1", f"a{number}") for number in range(10)]))
    counted(deployment, 10)

    create_again(deployment, f"{deployment.name}-clicks")
    asyncio.run(produce(deployment, [event("u2", f"b{number}") for number in range(5)]))

    assert one.wait(_STOPS_S) == 1
    assert f"{deployment.name}-clicks[0]" in one.output.splitlines()[-1]
    assert total(deployment, "u", "applied") == 10
