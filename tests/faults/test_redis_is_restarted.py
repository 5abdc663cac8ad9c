"""Redis dies and comes back: with its data, without the lists, and without anything."""

import orjson
import pytest

from tests.faults.shop import exact, selling, wait_applied
from tests.integration.traffic import rebuilt, redis_lists, synthetic
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.node import RedisNode
from tests.servers.proxy import Proxy

_NOTICED = "redis was restarted or replaced"


@pytest.mark.ci(reason="Redis is restarted with its data")
def test_a_restart_with_data_and_a_loss_of_lists_are_survived_by_a_running_worker(
    apart: Deployment, node: RedisNode, proxy: Proxy
) -> None:
    """SIGKILL under load; then while idle, with the last lists lost, which no position shows."""
    with selling(apart, synthetic(seed=54, events=100_000), rate=500) as shop:
        one = apart.worker(redis_url=proxy.redis_url, instance_id="one")
        wait_applied(apart, 1_000)
        node.kill()
        node.start()
        wait_applied(apart, 2_500)
    exact(apart, shop.sold)

    before = redis_lists(apart)
    proxy.hang()
    node.kill()
    node.start()
    with node.client() as redis:
        redis.delete(*redis.keys(f"{apart.env['STREAMAPP_LIST_PREFIX']}*"))
    seen = one.output.count(_NOTICED)
    proxy.heal()
    wait_until(lambda: one.output.count(_NOTICED) > seen, 60, "the worker notices")
    wait_until(lambda: redis_lists(apart).keys() == before.keys(), 60, "all lists are back")
    exact(apart, shop.sold)
    assert one.running


@pytest.mark.ci(reason="Redis is restarted empty")
def test_an_empty_redis_stops_the_worker_and_rebuild_counts_from_the_first_event(
    apart: Deployment, node: RedisNode
) -> None:
    """One line that says what to do; after it, every event once, and lists with a higher `seq`."""
    with selling(apart, synthetic(seed=55, events=100_000), rate=500) as shop:
        one = apart.worker(instance_id="one")
        wait_applied(apart, 1_500)
        wait_until(lambda: len(redis_lists(apart)) > 50, 60, "there are lists")
        before = redis_lists(apart)
        node.lose_everything()
        assert one.wait(60) == 1
    last = one.output.splitlines()[-1]
    assert last.startswith("streamapp: "), last
    assert "streamapp rebuild" in last

    assert rebuilt(apart)["records_to_count"] == len(shop.sold)
    one.start()
    exact(apart, shop.sold)
    after = redis_lists(apart)
    # A user who has seen every item has no list.
    assert {key for key in before if key.startswith("item:")} <= after.keys()
    assert all(
        orjson.loads(after[key])["seq"] > orjson.loads(before[key])["seq"]
        for key in before.keys() & after.keys()
    )
