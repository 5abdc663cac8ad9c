"""Many partitions: a worker's use of Redis does not grow with them."""

from collections.abc import Callable
from pathlib import Path

from tests.integration.traffic import audited, event, produce, synthetic, write_log
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

StartWorker = Callable[..., Worker]


async def test_a_worker_of_many_partitions_counts_exactly_with_two_connections(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """Its tasks wait for each other; too many connections once ended a worker."""
    deployment.env |= {"STREAMAPP_PARTITIONS": "16", "STREAMAPP_REDIS_CONNECTIONS": "2"}
    one = worker()
    acts = list(synthetic(seed=25, events=2_000))
    await produce(deployment, [event(act.user, act.item, type=act.type, ts=act.ts) for act in acts])
    audited(deployment, [write_log(tmp_path / "log.csv", acts)])
    assert one.running
    assert one.terminate() == 0
