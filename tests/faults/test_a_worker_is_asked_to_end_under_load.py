"""SIGTERM while events come in: the worker finishes its batches, and hands over in order."""

import pytest

from tests.faults.shop import exact, selling, total, wait_applied
from tests.integration.traffic import synthetic
from tests.servers.deployment import Deployment
from tests.servers.proxy import Proxy


@pytest.mark.ci(reason="SIGTERM: nothing is replayed")
def test_three_workers_hand_over_without_replaying_anything(deployment: Deployment) -> None:
    """Each exits 0 under load; all it read is stored and published, and the next one goes on."""
    with selling(deployment, synthetic(seed=41, events=100_000), rate=800) as shop:
        for turn in range(3):
            one = deployment.worker(f"worker-{turn}", instance_id="one")
            wait_applied(deployment, total(deployment, "u", "applied") + 2_000)
            assert one.terminate() == 0, one.output
    deployment.worker("successor", instance_id="one")
    exact(deployment, shop.sold)
    assert total(deployment, "u", "replayed") == 0
    assert total(deployment, "i", "replayed") == 0


@pytest.mark.ci(reason="SIGTERM while nobody answers")
def test_a_worker_that_nobody_answers_gives_up_in_time(apart: Deployment, proxy: Proxy) -> None:
    """Redis is silent when the worker is asked to end: exit 1 and why, and nothing is lost."""
    with selling(apart, synthetic(seed=42, events=100_000), rate=500) as shop:
        one = apart.worker(redis_url=proxy.redis_url, instance_id="one", stop_timeout="3")
        wait_applied(apart, 500)
        proxy.hang()
        assert one.terminate() == 1
        last = one.output.splitlines()[-1]
        assert last.startswith(
            "streamapp: asked to end, and after 3 s Kafka or Redis had not taken"
        )
    apart.worker("two", instance_id="one")
    exact(apart, shop.sold)
