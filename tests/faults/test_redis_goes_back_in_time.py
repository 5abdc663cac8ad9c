"""A replica that is behind takes over: its gap is noticed, replayed and counted once."""

import shutil

import orjson
import pytest

from tests.faults.shop import exact, selling, total, wait_applied
from tests.integration.traffic import succeeded, synthetic
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.node import RedisNode
from tests.servers.proxy import Proxy


@pytest.mark.ci(reason="Redis goes back in time under a worker")
def test_a_replica_that_is_behind_is_promoted_under_a_running_worker(
    apart: Deployment, node: RedisNode, proxy: Proxy
) -> None:
    """1,500 events are in no state any more; counts, lists and the topic end as if they were."""
    replica = RedisNode(keeps_data=True)
    with Proxy(node.port) as copying:
        replica.primary_port = copying.port
        # The worker starts before the first event. A backlog would become very few batches.
        one = apart.worker(redis_url=proxy.redis_url, instance_id="one")
        with replica, selling(apart, synthetic(seed=56, events=100_000), rate=500) as shop:
            wait_applied(apart, 500)
            replica.await_link()
            copying.hang()
            wait_applied(apart, total(apart, "u", "applied") + 1_500)
            ahead = total(apart, "u", "applied")

            node.kill()
            replica.promote()
            apart.env["STREAMAPP_REDIS_URL"] = replica.url
            assert total(apart, "u", "applied") <= ahead - 1_000
            proxy.target_port = replica.port
            proxy.cut()
            wait_until(lambda: "restarted or replaced" in one.output, 60, "the worker notices")
            wait_applied(apart, ahead + 500)
            shop.close()
            assert one.running
            exact(apart, shop.sold)
            status = orjson.loads(succeeded(apart, "streamapp", "status", "--json"))
            assert status["rolled_back"] > 0
            assert status["rolled_back_offsets"] > 0
            assert status["deduplicated"] > 0


@pytest.mark.full
def test_an_older_state_is_restored_while_no_worker_runs(
    apart: Deployment, node: RedisNode
) -> None:
    """A backup: the next worker reads on from there, and no list stays below a `seq` that was sent.

    Before, every list is sent at the very end. Afterwards, the lists of the first items are pending
    before the events of other users on other items come, so they would get a lower `seq`.
    """
    backup = node.folder / "backup"
    with selling(apart, synthetic(seed=57, events=500), rate=500) as shop:
        shop.join()
    one = apart.worker(instance_id="one")
    exact(apart, shop.sold)
    assert one.terminate() == 0
    node.stop()
    shutil.copytree(node.folder / "appendonlydir", backup)
    node.start()

    first = list(synthetic(seed=58, events=700))
    others = [act._replace(user=f"b{act.user}", item=f"b{act.item}") for act in first]
    late = apart.worker("late", instance_id="one", publish_interval="3600", refresh_interval="3600")
    with selling(apart, [*first, *others], rate=350) as again:
        again.join()
    acts = [*shop.sold, *again.sold]
    wait_applied(apart, len(acts))
    assert late.terminate() == 0

    node.kill()
    shutil.rmtree(node.folder / "appendonlydir")
    backup.rename(node.folder / "appendonlydir")
    node.start()
    assert total(apart, "u", "applied") == len(shop.sold)
    apart.worker("next", instance_id="one", max_poll_records="2", publish_interval="0.001")
    exact(apart, acts)
    status = orjson.loads(succeeded(apart, "streamapp", "status", "--json"))
    assert status["rolled_back"] > 0
