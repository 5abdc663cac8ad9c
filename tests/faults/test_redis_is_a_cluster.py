"""State and lists are on three nodes of a Redis Cluster: all commands work, and nodes may die."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pytest

from tests.faults.shop import Shop, exact, selling, wait_applied
from tests.integration.traffic import (
    hidden_by,
    hidden_in_lists,
    produce,
    product,
    rebuilt,
    redis_lists,
    succeeded,
    synthetic,
    with_catalogue,
)
from tests.servers.backend import Servers
from tests.servers.cluster import Cluster
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

_WAITS = "redis does not answer, attempt 8"
_SAID_S = 90.0


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Three nodes, which keep their data."""
    made = Cluster()
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def spread(servers: Servers, cluster: Cluster, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment on the shared broker and those nodes."""
    mine = Deployment(Servers(servers.backend, servers.broker, cluster), tmp_path)
    mine.env["STREAMAPP_REDIS_CLUSTER"] = "true"
    mine.env["STREAMAPP_PARTITIONS"] = "2"
    yield mine
    mine.end()
    mine.remove_topics()


def refusal(worker: Worker) -> bool:
    """Return whether the worker's last line is that Redis may evict."""
    return worker.output.splitlines()[-1].startswith("streamapp: redis may evict state")


def restart_nodes(deployment: Deployment, cluster: Cluster, shop: Shop) -> None:
    """Kill each node and start it again, one by one, while the shop sells."""
    for node in cluster.nodes:
        node.kill()
        node.start()
        cluster.await_whole()
        wait_applied(deployment, len(shop.sold))


@pytest.mark.ci(reason="Redis is a cluster")
def test_a_cluster_counts_exactly_while_a_node_is_restarted_and_every_command_works(
    spread: Deployment, cluster: Cluster
) -> None:
    """No call touches two slots; a node that dies comes back with its data."""
    with selling(spread, synthetic(seed=71, events=100_000), rate=300) as shop:
        one = spread.worker(instance_id="one", redis_timeout="2")
        wait_applied(spread, 500)
        restart_nodes(spread, cluster, shop)
    assert one.running
    assert "CROSSSLOT" not in one.output
    exact(spread, shop.sold)

    status = orjson.loads(succeeded(spread, "streamapp", "status", "--json"))
    assert status["applied_events"] == len(shop.sold)
    lists = redis_lists(spread)
    for kind in ("item", "user"):
        key = next(key for key in lists if key.startswith(f"{kind}:"))
        shown = succeeded(spread, "streamapp", "show", kind, key.partition(":")[2], "--json")
        assert orjson.loads(shown) == orjson.loads(lists[key])
    succeeded(spread, "streamapp", "export", "counts.npz")
    with np.load(spread.folder / "counts.npz") as counts:
        assert len(counts["items"]) == status["items"]
    assert one.terminate() == 0
    assert rebuilt(spread)["state_keys_removed"]
    one.start()
    exact(spread, shop.sold)


@pytest.mark.full
def test_a_cluster_that_is_away_as_a_whole_and_one_without_memory_are_waited_for(
    spread: Deployment, cluster: Cluster
) -> None:
    """As one server is; scans, which go to one node, wait as well."""
    spread.env["STREAMAPP_FORGET_AFTER"] = "31536000"
    with selling(spread, synthetic(seed=73, events=100_000), rate=300) as shop:
        one = spread.worker(instance_id="one", redis_timeout="2")
        wait_applied(spread, 500)
        cluster.kill()
        wait_until(lambda: _WAITS in one.output, _SAID_S, "the worker waits for any node")
        for node in cluster.nodes:
            node.start()
        cluster.await_whole()
        wait_applied(spread, len(shop.sold))
        said = one.output.count(_WAITS)
        prefix = spread.env["STREAMAPP_STATE_PREFIX"]
        with cluster.node_of(f"{prefix}{{u0}}:head").client() as full:
            full.config_set("maxmemory", 1_000_000)
            wait_until(
                lambda: one.output.count(_WAITS) > said, _SAID_S, "the worker waits for memory"
            )
            full.config_set("maxmemory", 0)
        wait_applied(spread, len(shop.sold))
    assert one.running
    exact(spread, shop.sold)


@pytest.mark.full
def test_a_node_that_may_evict_ends_the_worker_and_lets_none_start(
    spread: Deployment, cluster: Cluster
) -> None:
    """It may be any of them: one node that may evict is enough."""
    one = spread.idle_worker(instance_id="one")
    for node in cluster.nodes:
        one.start()
        with node.client() as redis:
            redis.config_set("maxmemory-policy", "volatile-lru")
            assert (one.wait(60), refusal(one)) == (2, True), one.output
            one.launch()
            assert (one.wait(60), refusal(one)) == (2, True), one.output
            redis.config_set("maxmemory-policy", "noeviction")


@pytest.mark.full
def test_a_replica_takes_the_place_of_a_node_that_is_gone_for_good(
    spread: Deployment, cluster: Cluster
) -> None:
    """Events that it has not copied are counted again, as when Redis goes back in time."""
    with selling(spread, synthetic(seed=74, events=100_000), rate=300) as shop:
        one = spread.worker(instance_id="one", redis_timeout="2")
        wait_applied(spread, 500)
        for node in cluster.nodes[1:]:
            cluster.fail_over(node)
            wait_applied(spread, len(shop.sold))
    assert one.running
    assert "reading the state again" in one.output
    exact(spread, shop.sold)


@pytest.mark.full
def test_a_cluster_hides_what_is_sold_out_and_finds_new_products_their_neighbours(
    spread: Deployment, cluster: Cluster
) -> None:
    """Categories, availability and content have their own slots, and survive a node as well."""
    with_catalogue(spread)
    spread.env["STREAMAPP_CONTENT_NEIGHBOURS"] = "true"
    spread.env["STREAMAPP_REFRESH_INTERVAL"] = "0.3"
    kinds = ("tent", "lamp", "stove")
    names = [f"sku-{number}" for number in range(90)] + [f"new-{number}" for number in range(30)]
    goods = [
        product(name, title=f"{kinds[n % 3]} {n % 7}", category=kinds[n % 3])
        for n, name in enumerate(names)
    ]
    succeeded(spread, "streamapp", "topics")
    asyncio.run(produce(spread, goods))
    with selling(spread, synthetic(seed=72, events=100_000), rate=300) as shop:
        one = spread.worker(instance_id="one", redis_timeout="2")
        wait_applied(spread, 500)
        sold_out = {name for name in names if name.endswith("3")}
        asyncio.run(produce(spread, [product(name, available=False) for name in sorted(sold_out)]))
        restart_nodes(spread, cluster, shop)
    assert one.running
    compared = exact(spread, shop.sold)["compared"]
    assert compared["content lists"] > 20
    assert compared["trending in categories"] == len(kinds)
    assert hidden_by(spread) == sold_out
    assert not hidden_in_lists(spread, sold_out)
    assert "CROSSSLOT" not in one.output
