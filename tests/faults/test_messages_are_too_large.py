"""A topic takes less than the app may have to send: the worker says so and ends."""

import asyncio

import pytest
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streamapp.transport.topics import administration
from tests.faults.shop import wait_applied
from tests.integration.traffic import event, produce
from tests.servers.deployment import Deployment

pytestmark = [pytest.mark.kafka, pytest.mark.full]

_STOPS_S = 60.0


async def make(deployment: Deployment, topic: str, limit: int) -> None:
    """Make a topic that takes messages of so many bytes."""
    config = {"max.message.bytes": str(limit)}
    async with administration(deployment.settings) as admin:
        await admin.create_topics([NewTopic(topic, 4, 1, topic_configs=config)])


async def limit(deployment: Deployment, topic: str, most: int) -> None:
    """Change how large the messages of a topic may be."""
    change = ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(most)})
    async with administration(deployment.settings) as admin:
        await admin.alter_configs([change])


@pytest.mark.parametrize(("name", "top_n"), [("interactions", "20"), ("lists", "200")])
def test_a_topic_of_the_default_size_is_named_at_the_start(
    deployment: Deployment, name: str, top_n: str
) -> None:
    """Exit code 2 and one line with the topic, the size and the setting."""
    asyncio.run(make(deployment, f"{deployment.name}-{name}", 1_048_588))
    worker = deployment.idle_worker(top_n=top_n)
    worker.launch()

    assert worker.wait(_STOPS_S) == 2
    last = worker.output.splitlines()[-1]
    assert last.startswith(
        f"streamapp: the topic {deployment.name}-{name} takes messages of 1,048,588 bytes"
    )
    assert last.endswith(": set max.message.bytes of the topic to 16777216")


def test_a_message_that_a_topic_does_not_take_any_more_ends_the_worker(
    deployment: Deployment,
) -> None:
    """Exit code 2 and one line; when the topic takes it again, every event counts."""
    if deployment.servers.backend == "embedded":
        pytest.skip("the embedded broker takes messages of any size")
    worker = deployment.worker()
    asyncio.run(produce(deployment, [event("u1", "a")]))
    wait_applied(deployment, 1)
    topic = f"{deployment.name}-interactions"
    asyncio.run(limit(deployment, topic, 2_000))
    asyncio.run(produce(deployment, [event("u1", f"{n}".rjust(500, "i")) for n in range(9)]))

    assert worker.wait(_STOPS_S) == 2
    last = worker.output.splitlines()[-1]
    assert last.startswith(f"streamapp: {topic} does not take a message of ")
    assert "set max.message.bytes of the topic" in last

    asyncio.run(limit(deployment, topic, 16_777_216))
    worker.launch()
    wait_applied(deployment, 10)
