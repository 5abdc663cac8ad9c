"""The broker is killed under load and comes back with its log."""

import pytest

from tests.faults.shop import exact, selling, total, wait_applied
from tests.integration.traffic import synthetic
from tests.servers.deployment import Deployment

pytestmark = [pytest.mark.kafka, pytest.mark.full]


def test_a_broker_that_dies_twice_under_load_loses_and_doubles_nothing(
    own_deployment: Deployment,
) -> None:
    """SIGKILL and SIGTERM of the broker while events, cuts, deltas and lists are in flight."""
    broker = own_deployment.servers.broker
    if not broker.keeps_data:
        pytest.skip("the broker of this backend holds everything in memory")
    with selling(own_deployment, synthetic(seed=52, events=200_000), rate=300) as shop:
        one = own_deployment.worker("one")
        for end in (broker.kill, broker.stop):
            wait_applied(own_deployment, total(own_deployment, "u", "applied") + 1_000)
            end()
            broker.start()
        wait_applied(own_deployment, total(own_deployment, "u", "applied") + 1_000)
        assert one.running, one.output
    exact(own_deployment, shop.sold)
