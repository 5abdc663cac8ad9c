"""A fault in Redis itself stops a worker with one line: a policy, a key of another type."""

import pytest

from tests.faults.shop import exact, selling, total, wait_applied
from tests.integration.traffic import rebuilt, synthetic
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.node import RedisNode
from tests.servers.worker import Worker


@pytest.mark.full
def test_a_policy_that_evicts_is_refused_at_the_start(apart: Deployment, node: RedisNode) -> None:
    """Exit code 2, and how to set it right."""
    with node.client() as redis:
        redis.config_set("maxmemory-policy", "allkeys-lru")
    one = apart.idle_worker()
    one.launch()
    refused(one)


@pytest.mark.ci(reason="Redis may evict")
def test_a_policy_that_evicts_ends_a_running_worker(apart: Deployment, node: RedisNode) -> None:
    """As at the start; set right, the next one goes on, and nothing is lost."""
    with selling(apart, synthetic(seed=61, events=100_000), rate=500) as shop:
        one = apart.worker(instance_id="one")
        wait_applied(apart, 500)
        with node.client() as redis:
            redis.config_set("maxmemory-policy", "allkeys-lru")
            refused(one)
            redis.config_set("maxmemory-policy", "noeviction")
        one.start()
        wait_applied(apart, total(apart, "u", "applied") + 500)
    exact(apart, shop.sold)


def refused(worker: Worker) -> None:
    """Wait until a worker has ended, and check that it says why."""
    assert worker.wait(60) == 2
    last = worker.output.splitlines()[-1]
    assert last.startswith("streamapp: redis may evict state: maxmemory-policy is allkeys-lru")
    assert "noeviction" in last


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("{u0}:b:u0", marks=pytest.mark.ci(reason="a state key is of another type")),
        pytest.param("{i0}:items", marks=pytest.mark.full),
        pytest.param("{u0}:head", marks=pytest.mark.full),
    ],
)
def test_a_state_key_of_another_type_stops_the_worker_and_rebuild_counts_again(
    apart: Deployment, node: RedisNode, key: str
) -> None:
    """One line names a key and what to do; the foreign key is not overwritten."""
    apart.env["STREAMAPP_PARTITIONS"] = "1"
    stranger = f"{apart.env['STREAMAPP_STATE_PREFIX']}{key}"
    with selling(apart, synthetic(seed=60, events=100_000), rate=500) as shop:
        one = apart.worker(instance_id="one")
        wait_applied(apart, 500)
        with node.client() as redis:
            with redis.pipeline() as at_once:
                at_once.delete(stranger).sadd(stranger, "mine").execute()
            wait_until(lambda: not one.running, 60, "the worker stops")
            assert redis.smembers(stranger) == {b"mine"}
    assert one.wait() == 1
    last = one.output.splitlines()[-1]
    assert last.startswith("streamapp: redis refuses"), last
    assert "WRONGTYPE" in last
    assert "streamapp rebuild" in last
    rebuilt(apart)
    one.start()
    exact(apart, shop.sold)
