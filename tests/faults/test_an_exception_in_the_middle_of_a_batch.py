"""A bug: an unexpected exception in the middle of a record batch."""

import pytest

from tests.faults.shop import exact, selling, wait_applied
from tests.integration.traffic import synthetic
from tests.servers.deployment import Deployment

_STOPS_S = 90.0


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(
            "histories.deltas-sent", marks=pytest.mark.ci(reason="an exception nobody expected")
        ),
        pytest.param("neighbours.deltas-applied", marks=pytest.mark.full),
    ],
)
def test_the_worker_stops_without_acknowledging_and_a_restart_is_exact(
    deployment: Deployment, place: str
) -> None:
    """Exit code 1 and the exception in the log; records that were not stored are read again."""
    with selling(deployment, synthetic(seed=61, events=100_000), rate=500) as shop:
        one = deployment.idle_worker("one", instance_id="one", failpoint=f"{place}:9:raise")
        one.launch()
        assert one.wait(_STOPS_S) == 1
        assert f"RuntimeError: failpoint {place}" in one.output
        deployment.worker("two", instance_id="one")
        wait_applied(deployment, len(shop.sold))
    exact(deployment, shop.sold)
