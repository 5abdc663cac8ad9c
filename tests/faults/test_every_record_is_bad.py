"""Poison: a tracker sends only bad records, and the dead-letter topic cannot be written."""

import asyncio
from functools import partial

import pytest
from aiokafka.admin import NewTopic

from streamapp.transport.topics import administration
from tests.faults.shop import total
from tests.integration.traffic import Act, Sent, audited, event, produce, read_topic, write_log
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

_SAYS_SO_S = 90.0

GARBAGE = [Sent(b'{"user_id": "u%d", "item_id": ' % number, b"u") for number in range(2_000)]


def dead(deployment: Deployment) -> int:
    """Return how many dead letters the state counts."""
    return total(deployment, "u", "dead")


def complains(worker: Worker, topic: str) -> bool:
    """Return whether a worker said that it cannot write to a topic."""
    lines = [line for line in worker.output.splitlines() if topic in line]
    return any("waiting for it" in line or "trying again" in line for line in lines)


async def letters_of(deployment: Deployment) -> list[bytes]:
    """Return the records of the dead-letter topic."""
    records = await read_topic(deployment, f"{deployment.name}-clicks.dlq")
    return [record.value for record in records]


@pytest.mark.full
async def test_nothing_but_garbage_is_set_aside_record_by_record(deployment: Deployment) -> None:
    """2,000 bad records of 2,000: as many dead letters, byte for byte, and no counts."""
    await asyncio.to_thread(deployment.worker)
    await produce(deployment, GARBAGE)
    await asyncio.to_thread(
        wait_until, lambda: dead(deployment) == len(GARBAGE), 120, "all are dead letters"
    )
    assert sorted(await letters_of(deployment)) == sorted(one.value or b"" for one in GARBAGE)
    assert total(deployment, "u", "applied") == 0


@pytest.mark.kafka
@pytest.mark.full
async def test_while_dead_letters_cannot_be_written_nothing_moves_on(
    deployment: Deployment,
) -> None:
    """The worker says so and waits; when the topic is back, it goes on and has lost nothing."""
    if deployment.servers.backend == "embedded":
        pytest.skip("the embedded broker acknowledges messages for a topic that was deleted")
    topic = f"{deployment.name}-clicks.dlq"
    one = await asyncio.to_thread(deployment.worker)
    async with administration(deployment.settings) as admin:
        await admin.delete_topics([topic])
        # All in one partition, so that the good records are behind the bad ones.
        good = [event("u", "a"), event("u", "b")]
        await produce(deployment, [*GARBAGE[:10], *good])
        await asyncio.to_thread(
            wait_until, partial(complains, one, topic), _SAYS_SO_S, "it says so"
        )
        assert one.running
        assert total(deployment, "[a-z]", "position") == 0
        await admin.create_topics([NewTopic(topic, deployment.settings.partitions, 1)])
    await asyncio.to_thread(wait_until, lambda: dead(deployment) == 10, 120, "it goes on")
    assert sorted(await letters_of(deployment)) == sorted(one.value or b"" for one in GARBAGE[:10])
    acts = [Act("u", item, "click", 1_700_000_000) for item in "ab"]
    await asyncio.to_thread(audited, deployment, [write_log(deployment.folder / "log.csv", acts)])
