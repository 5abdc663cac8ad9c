"""Retention drops records that the state still needs: counts can no longer be exact."""

import asyncio

import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from streamapp.transport.topics import administration
from tests.faults.shop import wait_applied
from tests.integration.traffic import event, produce
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment

pytestmark = [pytest.mark.kafka, pytest.mark.full]

_STOPS_S = 90.0


def resumed(deployment: Deployment, code: int, *options: str) -> tuple[bool, int]:
    """Run `streamapp resume`; return whether it did anything, and the records it skips."""

    def ended() -> str | None:
        done = deployment.run("streamapp", "resume", "--json", *options)
        if "workers live: " in done.stderr:
            return None
        assert done.returncode == code, done.stderr
        return done.stdout

    found = orjson.loads(wait_until(ended, 60, "no worker lives") or "")
    return found["resumed"], found["records_skipped"]


async def test_a_worker_whose_next_records_are_gone_says_which_and_stops(
    deployment: Deployment,
) -> None:
    """The line names the topic, the partition and both offsets."""
    if deployment.servers.backend == "embedded":
        pytest.skip("the embedded broker cannot drop records")
    deployment.env["STREAMAPP_PARTITIONS"] = "1"
    one = await asyncio.to_thread(deployment.worker, instance_id="one")
    await produce(deployment, [event("u1", f"a{number}") for number in range(10)])
    await asyncio.to_thread(wait_applied, deployment, 10)
    assert await asyncio.to_thread(one.terminate) == 0

    await produce(deployment, [event("u1", f"b{number}") for number in range(10)])
    tp = TopicPartition(f"{deployment.name}-clicks", 0)
    async with administration(deployment.settings) as admin:
        await admin.delete_records({tp: RecordsToDelete(15)})
    one.launch()

    assert await asyncio.to_thread(one.wait, _STOPS_S) == 1
    last = one.output.splitlines()[-1]
    assert last.startswith(f"streamapp: {tp.topic}[0]: the state is at offset 10"), last
    assert "begins at 15" in last
    assert "`streamapp resume --accept-gap`" in last
    assert await asyncio.to_thread(resumed, deployment, 2) == (False, 5)
    assert await asyncio.to_thread(resumed, deployment, 0, "--accept-gap") == (True, 5)
    assert await asyncio.to_thread(resumed, deployment, 0) == (False, 0)
    one.launch()
    await asyncio.to_thread(wait_applied, deployment, 15)
    assert await asyncio.to_thread(one.terminate) == 0
