"""Redis has no memory left: the worker waits, writes no half batch, and goes on afterwards."""

import pytest

from tests.faults.shop import exact, selling, total, wait_applied
from tests.integration.traffic import synthetic
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.node import RedisNode

_LEFT_BYTES = 100_000
_WAITS = "redis does not answer, attempt 8"


@pytest.mark.ci(reason="Redis has no memory left")
def test_writes_are_refused_in_the_middle_of_the_work_and_taken_again_later(
    apart: Deployment, node: RedisNode
) -> None:
    """Without eviction, some calls of a batch may succeed; the position does not move."""
    apart.env["STREAMAPP_HISTORY_CAP"] = "100000"
    with selling(apart, synthetic(seed=59, events=100_000, items=1_000), rate=300) as shop:
        one = apart.worker(instance_id="one")
        wait_applied(apart, 500)
        with node.client() as redis:

            def events_wait() -> bool:
                # A buffer of a connection may have counted as memory at first, and left room.
                limits = [int(redis.config_get("maxmemory")["maxmemory"]) or 2**60]
                limits.append(redis.info("memory")["used_memory"] + _LEFT_BYTES)
                redis.config_set("maxmemory", min(limits))
                return total(apart, "u", "applied") < len(shop.sold) - 1_000

            wait_until(events_wait, 90, "events wait")
            wait_until(lambda: _WAITS in one.output, 90, "the worker waits for memory")
            assert one.running
            redis.config_set("maxmemory", 0)
        wait_applied(apart, len(shop.sold))
    assert one.running
    exact(apart, shop.sold)


@pytest.mark.full
def test_a_worker_that_starts_then_waits_too_and_says_why(
    apart: Deployment, node: RedisNode
) -> None:
    """It is no reason to end, because the next worker would find the same."""
    with node.client() as redis:
        redis.config_set("maxmemory", 1)
        one = apart.idle_worker(instance_id="one")
        one.launch()
        wait_until(lambda: _WAITS in one.output, 90, "the worker waits for memory")
        assert "used memory > 'maxmemory'" in one.output
        redis.config_set("maxmemory", 0)
    one.wait_ready()
    assert "Traceback" not in one.output
