"""Zombies: workers sleep beyond the session timeout, wake up, and go on where they were."""

import os
import signal
from functools import partial

import psutil
import pytest

from tests.faults.shop import exact, selling, total, wait_applied
from tests.integration.traffic import synthetic
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

pytestmark = [pytest.mark.kafka, pytest.mark.full]

_PLACES = (
    "publication.lists-replaced",
    "histories.deltas-sent",
    "neighbours.rows-put",
    "intake.cut-sent",
)
_FALLS_ASLEEP_S = 90.0
_REJOINS_S = 90.0


def asleep(worker: Worker) -> bool:
    """Return whether a worker was stopped by a signal."""
    return bool(psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED)


def joins(worker: Worker) -> int:
    """Return how often a worker became a member of the group."""
    return worker.output.count("Joined group")


def joined_again(worker: Worker, before: int) -> bool:
    """Return whether a worker became a member after it had been one `before` times."""
    return joins(worker) > before


def test_zombies_put_back_neither_counts_nor_lists(deployment: Deployment) -> None:
    """Four owners in turn fall asleep between two steps of the protocol, and wake up at once.

    Each holds something that it has not written yet: lists, a position, rows, a cut. The next owner
    has gone on for thousands of events.
    """
    deployment.env["STREAMAPP_PARTITIONS"] = "1"
    with selling(deployment, synthetic(seed=44, events=200_000), rate=300) as shop:
        zombies = []
        for place in _PLACES:
            zombie = deployment.idle_worker(place, failpoint=f"{place}:20:stop")
            zombie.launch()
            wait_until(partial(asleep, zombie), _FALLS_ASLEEP_S, f"asleep at {place}")
            zombies.append(zombie)
        deployment.worker("owner")
        wait_applied(deployment, len(shop.sold))
        wait_applied(deployment, total(deployment, "u", "applied") + 1_000)
        before = [joins(zombie) for zombie in zombies]
        for zombie in zombies:
            os.kill(zombie.pid, signal.SIGCONT)
        for zombie, count in zip(zombies, before, strict=True):
            wait_until(
                partial(joined_again, zombie, count),
                _REJOINS_S,
                f"{zombie.name} is a member again",
            )
            assert zombie.running, zombie.output
    exact(deployment, shop.sold)
