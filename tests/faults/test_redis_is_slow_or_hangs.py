"""Redis is slow, then silent, then back: the worker waits, and goes on where it was."""

import pytest

from tests.faults.shop import exact, selling, total, wait_applied
from tests.integration.traffic import synthetic
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.proxy import Proxy


@pytest.mark.ci(reason="Redis is slow, then silent")
def test_a_worker_outlasts_a_redis_that_is_slow_and_one_that_is_silent(
    apart: Deployment, proxy: Proxy
) -> None:
    """Calls take 100 ms, then none ends. No event counts meanwhile; all count afterwards."""
    with selling(apart, synthetic(seed=53, events=100_000), rate=500) as shop:
        one = apart.worker(redis_url=proxy.redis_url, redis_timeout="0.4", instance_id="one")
        wait_applied(apart, 500)
        proxy.slow(0.05)
        wait_applied(apart, total(apart, "u", "applied") + 800)
        proxy.heal()

        proxy.hang()
        wait_until(lambda: "attempt 2" in one.output, 60, "the worker says that it waits")
        reached = total(apart, "u", "applied")
        wait_until(lambda: "attempt 8" in one.output, 60, "the worker goes on waiting")
        assert total(apart, "u", "applied") == reached
        proxy.heal()
        wait_applied(apart, reached + 500)
    assert one.running
    exact(apart, shop.sold)
