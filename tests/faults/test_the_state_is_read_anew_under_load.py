"""A worker reads its state anew again and again while events come in; what is under way stays."""

from tests.faults.shop import exact, selling, wait_applied
from tests.integration.traffic import synthetic
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.node import RedisNode

_NOTICED = "redis was restarted or replaced"
_TIMES = 6


def test_no_record_is_passed_over_when_reading_goes_back_to_the_fence(
    apart: Deployment, node: RedisNode
) -> None:
    """A read that was under way when the reader went back must not swallow what it then brings."""
    with selling(apart, synthetic(seed=61, events=100_000), rate=300) as shop:
        one = apart.worker(instance_id="one")
        for time in range(1, _TIMES + 1):
            wait_applied(apart, 300 * time)
            node.kill()
            node.start()
            wait_until(
                lambda time=time: one.output.count(_NOTICED) >= time, 30, "the worker notices"
            )
    exact(apart, shop.sold)
