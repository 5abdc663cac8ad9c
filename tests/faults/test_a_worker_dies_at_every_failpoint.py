"""A worker is killed at every failpoint of the protocol, one after another, on one state."""

import random
import signal

import pytest

from streamapp.failpoints import NAMES
from tests.faults.shop import exact, selling
from tests.integration.traffic import synthetic
from tests.servers.deployment import Deployment

_DIES_S = 90.0
_BEHIND = "was stored once"
"""The line of a worker that finds a commit beyond the state."""


@pytest.mark.parametrize(
    ("hit", "part"),
    [
        pytest.param(1, 0, marks=pytest.mark.ci(reason="a third of all places where one may die")),
        *(pytest.param(1, part, marks=pytest.mark.full) for part in (1, 2)),
        *(pytest.param(7, part, marks=[pytest.mark.kafka, pytest.mark.full]) for part in range(3)),
    ],
)
def test_a_death_at_every_failpoint_in_turn_changes_nothing(
    deployment: Deployment, hit: int, part: int
) -> None:
    """SIGKILL at the first, or a later, time that each failpoint is reached; then exact.

    The failpoints of one part share one state.
    """
    names = random.Random(hit).sample(NAMES, len(NAMES))[part::3]  # noqa: S311 - no secret
    print(f"in the order of seed {hit}: {', '.join(names)}")  # noqa: T201 - shown on failure
    with selling(deployment, synthetic(seed=hit, events=100_000), rate=400) as shop:
        for name in names:
            one = deployment.idle_worker(name, instance_id="one", failpoint=f"{name}:{hit}")
            one.launch()
            assert one.wait(_DIES_S) == -signal.SIGKILL, name
            assert _BEHIND not in one.output, "Kafka's commit was ahead of the state"
    deployment.worker(instance_id="one")
    exact(deployment, shop.sold)


@pytest.mark.full
def test_a_crash_loop_counts_nothing_twice_and_ends_when_its_cause_does(
    deployment: Deployment,
) -> None:
    """A worker that dies right after it sent deltas, five times, sends them again each time."""
    with selling(deployment, synthetic(seed=3, events=100_000), rate=400) as shop:
        one = deployment.idle_worker(instance_id="one", failpoint="histories.deltas-sent:1")
        for _ in range(5):
            one.launch()
            assert one.wait(_DIES_S) == -signal.SIGKILL
    deployment.worker(instance_id="one")
    exact(deployment, shop.sold)
