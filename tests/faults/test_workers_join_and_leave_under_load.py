"""Rebalances while batches are in flight: every partition has one owner, and counts are exact."""

import re
import time

import pytest

from tests.faults.shop import exact, selling, total, wait_applied
from tests.integration.traffic import synthetic
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

pytestmark = [pytest.mark.kafka, pytest.mark.full]

_MOVES_S = 90.0
_ASSIGNED = "Setting newly assigned partitions"
_LINE = re.compile(r"^\| (\S+) +\| \{([\d, -]*)\} +\|$", re.MULTILINE)


def partitions_of(worker: Worker) -> dict[str, set[int]]:
    """Return the partitions a worker got last, by the kind of topic, from its log."""
    _, _, last = worker.output.rpartition(_ASSIGNED)
    assigned: dict[str, set[int]] = {}
    for topic, ranges in _LINE.findall(last.partition("Executing")[0]):
        bounds = [part.partition("-") for part in ranges.split(",") if part.strip()]
        assigned[topic.rpartition("-")[2]] = {
            number
            for first, _, final in bounds
            for number in range(int(first), int(final or first) + 1)
        }
    return assigned


def shared_out(workers: list[Worker], partitions: int) -> bool:
    """Return whether each partition has one owner, and events of equal partitions the same one."""
    shares = [partitions_of(worker) for worker in workers]
    return all(
        sorted(number for share in shares for number in share.get(kind, ()))
        == list(range(partitions))
        for kind in ("clicks", "purchases", "interactions", "deltas")
    ) and all(share.get("clicks", set()) == share.get("purchases", set()) for share in shares)


def wait_shared_out(workers: list[Worker], partitions: int) -> None:
    """Wait until these workers, and no others, share the partitions."""
    wait_until(
        lambda: shared_out(workers, partitions),
        _MOVES_S,
        lambda: f"shared out: {[partitions_of(worker) for worker in workers]}",
    )


def test_three_workers_join_and_leave_on_eight_partitions(deployment: Deployment) -> None:
    """One leaves in order and comes back, one is killed, while the shop sells."""
    deployment.env["STREAMAPP_PARTITIONS"] = "8"
    with selling(deployment, synthetic(seed=42, events=200_000), rate=500) as shop:
        one, two, three = (deployment.idle_worker(name) for name in ("one", "two", "three"))
        for worker in (one, two, three):
            worker.launch()
        wait_shared_out([one, two, three], 8)
        assert two.terminate() == 0, two.output
        wait_shared_out([one, three], 8)
        one.kill()
        if deployment.servers.backend == "embedded":
            # Tansu sees that a member is dead when another one joins after its session.
            over_at = time.monotonic() + deployment.settings.session_timeout
            wait_until(lambda: time.monotonic() > over_at, 60, "the session of the dead is over")
        two.launch()
        wait_shared_out([two, three], 8)
        wait_applied(deployment, total(deployment, "u", "applied") + 1_000)
    exact(deployment, shop.sold)


@pytest.mark.parametrize("partitions", [1])
def test_a_worker_without_partitions_waits_and_takes_over(
    deployment: Deployment, partitions: int
) -> None:
    """More workers than partitions: one is idle until the busy one is killed."""
    deployment.env["STREAMAPP_PARTITIONS"] = str(partitions)
    with selling(deployment, synthetic(seed=43, events=100_000), rate=500) as shop:
        workers = [deployment.worker("one")]
        wait_applied(deployment, 500)
        workers.append(deployment.worker("two"))
        wait_shared_out(workers, partitions)
        busy = next(worker for worker in workers if partitions_of(worker)["clicks"])
        (idle,) = (worker for worker in workers if worker is not busy)
        busy.kill()
        # Tansu sees that a member is dead when another one joins.
        if deployment.servers.backend == "embedded":
            idle = deployment.worker("three")
        wait_applied(deployment, total(deployment, "u", "applied") + 1_000)
        assert idle.running
    exact(deployment, shop.sold)
