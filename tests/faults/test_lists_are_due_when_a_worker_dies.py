"""A worker dies between the counts and the lists, and no event comes afterwards."""

import asyncio
import signal

import pytest

from tests.faults.shop import exact, sent_of, wait_applied
from tests.integration.traffic import produce, succeeded, synthetic
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment

_DIES_S = 90.0


def due(deployment: Deployment) -> bool:
    """Return whether the state holds rows whose lists are still to be published."""
    with deployment.redis() as redis:
        return bool(redis.hget(f"{deployment.name}:state:{{i0}}:head", "dirty"))


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(
            "publication.lists-replaced",
            marks=pytest.mark.ci(reason="a death between key and topic"),
        ),
        pytest.param("publication.lists-sent", marks=pytest.mark.full),
    ],
)
def test_lists_that_were_on_their_way_are_published_again(
    deployment: Deployment, place: str
) -> None:
    """In Redis and not on the topic; on the topic and still pending: both hold them in the end."""
    deployment.env["STREAMAPP_PARTITIONS"] = "1"
    acts = list(synthetic(seed=46, events=300))
    succeeded(deployment, "streamapp", "topics")
    asyncio.run(produce(deployment, [sent_of(deployment, [act]) for act in acts]))
    one = deployment.idle_worker("one", instance_id="one", failpoint=f"{place}:1")
    one.launch()
    assert one.wait(_DIES_S) == -signal.SIGKILL

    deployment.worker("two", instance_id="one")
    exact(deployment, acts)


@pytest.mark.ci(reason="a death between counts and lists")
def test_lists_that_were_due_are_published_by_the_next_worker(deployment: Deployment) -> None:
    """Counts are stored, lists wait for their time, and the worker is killed."""
    deployment.env["STREAMAPP_PARTITIONS"] = "1"
    acts = list(synthetic(seed=47, events=300))
    one = deployment.worker("one", instance_id="one", publish_interval="600")
    for start, end in ((0, 150), (150, 300)):
        asyncio.run(produce(deployment, [sent_of(deployment, [act]) for act in acts[start:end]]))
        wait_applied(deployment, end)
    wait_until(lambda: due(deployment), 60, "lists are due")
    one.kill()

    deployment.worker("two", instance_id="one")
    exact(deployment, acts)
