"""A worker is killed under load, and one with another member id takes its place.

This measures time, so it is not among the stories of faults, several of which run at once.
"""

import time

import pytest

from tests.faults.shop import exact, selling, wait_applied
from tests.integration.traffic import synthetic
from tests.servers.deployment import Deployment

pytestmark = [pytest.mark.alone, pytest.mark.full]

_CATCH_UP_S = 10.0


def test_a_stranger_has_caught_up_within_the_session_timeout_and_ten_seconds(
    deployment: Deployment,
) -> None:
    """From the SIGKILL on, with another member id: all acts sold until then are applied."""
    limit_s = deployment.settings.session_timeout + _CATCH_UP_S
    with selling(deployment, synthetic(seed=45, events=200_000), rate=500) as shop:
        one = deployment.worker("one")
        wait_applied(deployment, 2_000)
        one.kill()
        killed_at = time.monotonic()
        deployment.idle_worker("two").launch()
        wait_applied(deployment, len(shop.sold))
        took_s = time.monotonic() - killed_at
    print(f"caught up {took_s:.1f} s after the kill; {limit_s:g} s are allowed")  # noqa: T201
    exact(deployment, shop.sold)
    assert took_s < limit_s
