"""Kafka refuses a worker in its group: the worker says so and ends, instead of waiting forever."""

import pytest

from tests.servers.deployment import Deployment

pytestmark = [pytest.mark.kafka, pytest.mark.full]

_STOPS_S = 60.0


def test_a_session_timeout_that_the_broker_refuses_is_named(deployment: Deployment) -> None:
    """Exit code 2, and one line that says which settings to look at."""
    if deployment.servers.backend == "embedded":
        pytest.skip("the embedded broker takes every session timeout")
    worker = deployment.idle_worker(session_timeout="2")
    worker.launch()

    assert worker.wait(_STOPS_S) == 2
    last = worker.output.splitlines()[-1]
    assert last.startswith("streamapp: kafka does not let this worker into the group ")
    assert "(InvalidSessionTimeoutError); check GROUP_ID, INSTANCE_ID and SESSION_TIMEOUT" in last


def test_topics_that_differ_from_those_that_the_group_remembers_are_named(
    deployment: Deployment,
) -> None:
    """Kafka would go on with the old partitions, and never give out those of a new topic."""
    deployment.env["STREAMAPP_SESSION_TIMEOUT"] = "20"
    both = deployment.env["STREAMAPP_EVENT_TOPICS"]
    deployment.env["STREAMAPP_EVENT_TOPICS"] = f"{deployment.name}-clicks"
    assert deployment.worker(instance_id="one").terminate() == 0
    deployment.env["STREAMAPP_EVENT_TOPICS"] = both
    other = deployment.idle_worker("other", instance_id="one")
    other.launch()

    assert other.wait(_STOPS_S) == 2
    last = other.output.splitlines()[-1]
    assert "read other topics" in last
    assert "wait for SESSION_TIMEOUT" in last
