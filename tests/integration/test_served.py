"""Online evaluation: the next items of users, and the rates in `streamapp status`."""

import signal
import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from tests.integration.traffic import Act, event, produce, succeeded
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

StartWorker = Callable[..., Worker]
LONG_AGO_S = 3_600.0
WITHIN_S = 60.0
FIGURES = ("judged_events", "served_hr", "served_mrr", "unserved_events", "overtaken_events")


@pytest.fixture(autouse=True)
def _everybody_is_asked(deployment: Deployment) -> None:
    """Evaluate all users, and keep lists short that trending items would fill."""
    deployment.env["STREAMAPP_JUDGED_SHARE"] = "1"
    deployment.env["STREAMAPP_TRENDING_HALF_LIFE"] = "0"


def status(deployment: Deployment) -> dict[str, Any]:
    """Return the output of `streamapp status`."""
    found: dict[str, Any] = orjson.loads(succeeded(deployment, "streamapp", "status", "--json"))
    return found


def figures(deployment: Deployment, applied: int) -> tuple[float | None, ...]:
    """Return the results of served lists when this many interactions are applied."""
    found: dict[str, Any] = {}

    def done() -> bool:
        found.update(status(deployment))
        return bool(found["applied_events"] == applied)

    wait_until(done, WITHIN_S, "all are applied")
    return tuple(found[name] for name in FIGURES)


def items(deployment: Deployment, user: str) -> list[str]:
    """Return the items of a user's list; none without a list."""
    with deployment.redis() as redis:
        value: Any = redis.get(f"{deployment.env['STREAMAPP_LIST_PREFIX']}user:{user}")
    return [entry["id"] for entry in orjson.loads(value)["items"]] if value else []


async def clicked(deployment: Deployment, *clicks: tuple[str, str], ago_s: float = 0.0) -> int:
    """Send clicks, (user, item), with an age; return how many."""
    ts = time.time() - ago_s
    acts = [
        Act(user, item, "click", ts + number / 1e3) for number, (user, item) in enumerate(clicks)
    ]
    await produce(deployment, [event(act.user, act.item, ts=act.ts) for act in acts])
    return len(acts)


async def sold(deployment: Deployment, *users: str) -> int:
    """Click a, then x, y and z together, long ago; let users see a; wait for their lists.

    Returns:
        The number of those clicks; every list is x, y, z.
    """
    crowd = [(f"{item}-{number}", one) for item, size in (("x", 4), ("y", 2), ("z", 1))
             for number in range(size) for one in ("a", item)]  # fmt: skip
    others = [("q-0", "y"), ("q-1", "z"), ("q-2", "z"), ("q-3", "z")]
    count = await clicked(deployment, *crowd, *others, ago_s=LONG_AGO_S)
    count += await clicked(deployment, *((user, "a") for user in users), ago_s=LONG_AGO_S / 2)
    for user in users:
        wait_until(lambda: items(deployment, user) == ["x", "y", "z"], WITHIN_S, "the list is made")  # noqa: B023
    return count


async def test_a_click_on_the_kth_entry_of_a_list_is_a_hit_with_a_reciprocal_rank_of_one_kth(
    deployment: Deployment, worker: StartWorker
) -> None:
    """Then a miss, a click on a seen item, and a user without a list; old events do not count."""
    worker()
    applied = await sold(deployment, "me", "you")
    assert figures(deployment, applied) == (0, None, None, 0, 0)
    applied += await clicked(deployment, ("me", "y"))
    assert figures(deployment, applied) == (1, 1.0, 1 / 2, 0, 0)
    applied += await clicked(deployment, ("you", "elsewhere"), ("you", "a"), ("new", "x"))
    assert figures(deployment, applied) == (2, 1 / 2, 1 / 4, 1, 0)
    shown = succeeded(deployment, "streamapp", "status")
    assert all(name.replace("_", " ") in shown for name in FIGURES)


@pytest.mark.parametrize(
    ("place", "judged"),
    [
        pytest.param("histories.deltas-sent", 1, marks=pytest.mark.full),
        pytest.param("histories.position-moved", 1, marks=pytest.mark.full),
        pytest.param(
            "histories.blobs-put",
            0,
            marks=pytest.mark.ci(reason="a death between what was judged and that it was"),
        ),
    ],
)
async def test_an_event_is_judged_once_whatever_its_worker_dies_of(
    deployment: Deployment, worker: StartWorker, place: str, judged: int
) -> None:
    """SIGKILL after evaluation and before the store, and after the store.

    In between, the history holds the event already, so it is unknown whether the item was new. The
    event is left out, and never counted twice.
    """
    first = worker(instance_id="one")
    applied = await sold(deployment, "me")
    assert first.terminate() == 0
    # The dead worker's messages must not reach the list before the event is read again.
    again = {"instance_id": "one", "refresh_interval": "60"}
    dying = deployment.idle_worker("dying", failpoint=f"{place}:1", **again)
    applied += await clicked(deployment, ("me", "z"))
    dying.launch()
    assert dying.wait(WITHIN_S) == -signal.SIGKILL
    worker("next", **again)
    rates = (1.0, 1 / 3) if judged else (None, None)
    assert figures(deployment, applied) == (judged, *rates, 0, 0)
