"""The clock of a worker is days behind or ahead: nothing that it counts or publishes changes."""

import asyncio
import time

import pytest

from tests.faults.shop import exact, wait_applied
from tests.integration.traffic import Act, event, produce, read_topic
from tests.servers.backend import BackendError
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker
from tests.servers.wrong_clock import wrong_clock

pytestmark = [pytest.mark.kafka, pytest.mark.full]

DAY = 86_400


@pytest.mark.parametrize("ahead_s", [-2 * DAY, 2 * 3_600, 2 * DAY], ids=["-2 d", "+2 h", "+2 d"])
def test_live_events_count_and_lists_live_whatever_the_clock_says(
    deployment: Deployment, ahead_s: int
) -> None:
    """No live event is a dead letter, Kafka takes what is sent, and lists keep their time."""
    try:
        env = wrong_clock(ahead_s)
    except BackendError as error:
        pytest.skip(str(error))
    worker = Worker(
        "worker", deployment.folder,
        deployment.process_env | env | {"STREAMAPP_USER_LIST_TTL": str(DAY)},
    )  # fmt: skip
    deployment.workers.append(worker)
    worker.start()
    now = time.time()
    acts = [Act(f"u{n % 5}", f"i{n % 7}", "click", round(now) - 60.0 + n) for n in range(20)]
    asyncio.run(produce(deployment, [event(one.user, one.item, ts=one.ts) for one in acts]))
    wait_applied(deployment, len(acts))
    exact(deployment, acts)

    letters = asyncio.run(read_topic(deployment, f"{deployment.name}-clicks.dlq"))
    assert letters == []
    with deployment.redis() as redis:
        keys = list(redis.scan_iter(f"{deployment.name}:recs:v1:user:*"))
        assert len(keys) == 5
        left = [redis.expiretime(key) - time.time() for key in keys]
    # A minute more than the setting: Redis removes what no worker has.
    assert all(DAY - 120 < one <= DAY + 61 for one in left), left
    assert "the clock of this worker; check the clocks" in worker.output
    assert worker.terminate() == 0
