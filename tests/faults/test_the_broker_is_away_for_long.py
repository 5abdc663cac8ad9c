"""The broker is killed and stays away: the log names the cause of the wait, and stays short."""

import pytest

from tests.faults.shop import selling, wait_applied
from tests.integration.traffic import synthetic
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment


@pytest.mark.ci(reason="the broker is away")
def test_the_log_of_a_worker_says_what_it_waits_for_and_stays_short(
    own_deployment: Deployment,
) -> None:
    """The Kafka client itself says the same some seventy times a second."""
    broker = own_deployment.servers.broker
    with selling(own_deployment, synthetic(seed=54, events=2_000), rate=1_000) as shop:
        one = own_deployment.worker()
        shop.join()
        wait_applied(own_deployment, len(shop.sold))
    before = len(one.output.splitlines())
    broker.kill()
    waits = f"kafka does not answer at {broker.url}, attempt 8; waiting for it"
    wait_until(lambda: waits in one.output, 120, lambda: f"{waits}: {one.output}")
    said = one.output.splitlines()[before:]
    assert any("more like it were left out" in line for line in said)
    assert len(said) < 100, said
    assert one.running
