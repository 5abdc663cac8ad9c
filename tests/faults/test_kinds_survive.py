"""Every kind of lists is exact after any death: one worker runs the same pipeline three times."""

import random
import signal
from functools import partial

import pytest

from streamapp.failpoints import NAMES
from tests.faults.shop import exact, selling, wait_applied
from tests.integration.traffic import rebuilt, redis_lists, synthetic
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment

_DIES_S = 90.0
_BEHIND = "was stored once"
"""The line of a worker that finds a commit beyond the state."""

SHARED = [name for name in NAMES if not name.startswith(("user-lists", "trending"))]
"""The failpoints that all pipelines pass, or the records of all."""

KINDS = ("bought_together", "bought_after_view")
ON = {"STREAMAPP_PARTITIONS": "2", **{f"STREAMAPP_{kind.upper()}": "true" for kind in KINDS}}


def lists_of(deployment: Deployment, kind: str) -> list[str]:
    """Return the names of the lists of a kind."""
    return [name for name in redis_lists(deployment) if name.startswith(f"{kind}:")]


def compared(deployment: Deployment, report: dict[str, dict[str, int]]) -> None:
    """Check that an audit compared all kinds, and that Redis has as many lists as it counted."""
    for kind in KINDS:
        assert report["compared"][f"{kind} dots"] > 0
        assert report["compared"][f"{kind} lists"] == len(lists_of(deployment, kind)) > 0


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(
            0, marks=pytest.mark.ci(reason="deaths while more kinds of lists are counted")
        ),
        pytest.param(1, marks=pytest.mark.full),
        pytest.param(2, marks=pytest.mark.full),
    ],
)
def test_deaths_of_a_worker_change_no_kind_of_lists(deployment: Deployment, part: int) -> None:
    """SIGKILL at every failpoint of all pipelines, at some of the first times; then exact."""
    deployment.env |= ON
    chance = random.Random(part)  # noqa: S311 - no secret
    places = [f"{name}:{chance.randint(1, 9)}" for name in SHARED[part::3]]
    chance.shuffle(places)
    print(f"in this order: {', '.join(places)}")  # noqa: T201 - shown on failure
    with selling(deployment, synthetic(seed=70 + part, events=100_000, orders=5), 400) as shop:
        for place in places:
            one = deployment.idle_worker("one", instance_id="one", failpoint=place)
            one.launch()
            assert one.wait(_DIES_S) == -signal.SIGKILL, place
            assert _BEHIND not in one.output, "Kafka's commit was ahead of the state"
    deployment.worker("last", instance_id="one")
    compared(deployment, exact(deployment, shop.sold))


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(KINDS[0], marks=pytest.mark.ci(reason="the state of one kind is lost")),
        pytest.param(KINDS[1], marks=pytest.mark.full),
    ],
)
def test_the_state_of_a_kind_that_is_gone_stops_the_worker_and_rebuild_counts_all_again(
    deployment: Deployment, kind: str
) -> None:
    """The rest of the state does not hide the loss: a clear stop, then all is exact."""
    deployment.env |= ON
    with selling(deployment, synthetic(seed=72, events=4_000, orders=5), rate=4_000) as shop:
        shop.join()
    one = deployment.worker("one", instance_id="one")
    compared(deployment, exact(deployment, shop.sold))
    assert one.terminate() == 0
    prefix = f"{deployment.env['STREAMAPP_STATE_PREFIX']}{kind}:"
    with deployment.redis() as redis:
        redis.delete(*redis.scan_iter(f"{prefix}*", count=10_000))
    one.launch()
    assert one.wait(60) == 1
    assert "streamapp rebuild" in one.output.splitlines()[-1]
    rebuilt(deployment)
    one.start()
    compared(deployment, exact(deployment, shop.sold))


@pytest.mark.kafka
@pytest.mark.full
def test_two_workers_share_all_pipelines_and_one_dies(deployment: Deployment) -> None:
    """The remaining worker takes over the partitions of all."""
    deployment.env |= ON
    with selling(deployment, synthetic(seed=73, events=100_000, orders=5), rate=300) as shop:
        one, two = deployment.worker("one"), deployment.worker("two")
        wait_applied(deployment, 1_000)
        for kind in KINDS:
            wait_until(partial(lists_of, deployment, kind), 60, "there are lists")
        one.kill()
        wait_applied(deployment, len(shop.sold) + 500)
    compared(deployment, exact(deployment, shop.sold))
    assert two.running
