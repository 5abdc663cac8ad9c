"""A worker dies between the counts and the lists, and no event comes afterwards."""

import asyncio
import signal

import pytest

from tests.faults.shop import exact, sent_of
from tests.integration.traffic import produce, succeeded, synthetic
from tests.servers.deployment import Deployment

_DIES_S = 90.0


@pytest.mark.parametrize(
    ("failpoint", "publish_interval"),
    [
        ("neighbours.position-moved:2", "60"),
        ("publication.lists-replaced:1", "0.05"),
        ("publication.lists-sent:1", "0.05"),
    ],
)
def test_the_next_worker_publishes_what_was_due(
    deployment: Deployment, failpoint: str, publish_interval: str
) -> None:
    """Counts stored and lists not; lists in Redis and not on the topic; on the topic, not noted."""
    deployment.env["STREAMAPP_PARTITIONS"] = "1"
    acts = list(synthetic(seed=46, events=300))
    succeeded(deployment, "streamapp", "topics")
    asyncio.run(produce(deployment, [sent_of(deployment, [act]) for act in acts]))
    one = deployment.idle_worker(
        "one", instance_id="one", failpoint=failpoint, publish_interval=publish_interval
    )
    one.launch()
    assert one.wait(_DIES_S) == -signal.SIGKILL

    deployment.worker("two", instance_id="one")
    exact(deployment, acts)
