"""User lists outlast their owners: killed, asleep, or away when the time of a list is over."""

import math
import os
import signal
from functools import partial

import orjson
import psutil
import pytest

from tests.faults.shop import exact, last_records, selling, total, wait_applied
from tests.integration.traffic import redis_lists, synthetic
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

_DIES_S = 90.0
_REJOINS_S = 90.0


def users(lists: dict[str, bytes]) -> dict[str, int]:
    """Return the `seq` of each list for a user."""
    return {
        key: orjson.loads(value)["seq"] for key, value in lists.items() if key.startswith("user:")
    }


def asleep(worker: Worker) -> bool:
    """Return whether a worker was stopped by a signal."""
    return bool(psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED)


def joined_again(worker: Worker, before: int) -> bool:
    """Return whether a worker became a member after it had been one `before` times."""
    return worker.output.count("Joined group") > before


@pytest.mark.parametrize(
    ("place", "hit"),
    [
        pytest.param(
            "user-lists.replaced",
            1,
            marks=pytest.mark.ci(reason="a death before a user's list is on the topic"),
        ),
        pytest.param("user-lists.replaced", 9, marks=pytest.mark.full),
        pytest.param("user-lists.sent", 1, marks=pytest.mark.full),
        pytest.param("user-lists.sent", 9, marks=pytest.mark.full),
    ],
)
def test_lists_that_were_on_their_way_are_published_by_the_next_worker(
    deployment: Deployment, place: str, hit: int
) -> None:
    """In Redis and not on the topic; on the topic and still pending: both hold them in the end."""
    deployment.env["STREAMAPP_PARTITIONS"] = "1"
    with selling(deployment, synthetic(seed=90 + hit, events=100_000), rate=200) as shop:
        one = deployment.idle_worker("one", instance_id="one", failpoint=f"{place}:{hit}")
        one.launch()
        assert one.wait(_DIES_S) == -signal.SIGKILL
    due = total(deployment, "u", "due_users")
    assert due > 0
    deployment.worker("two", instance_id="one")
    exact(deployment, shop.sold)
    assert total(deployment, "u", "due_users") == 0
    assert users(redis_lists(deployment))


@pytest.mark.kafka
@pytest.mark.full
def test_an_owner_who_slept_puts_back_no_list(deployment: Deployment) -> None:
    """It sleeps between key and topic, and wakes up long after its lists were replaced."""
    deployment.env["STREAMAPP_PARTITIONS"] = "1"
    with selling(deployment, synthetic(seed=94, events=100_000), rate=200) as shop:
        zombie = deployment.idle_worker("zombie", failpoint="user-lists.replaced:20:stop")
        zombie.launch()
        wait_until(partial(asleep, zombie), _DIES_S, "it sleeps")
        held = users(redis_lists(deployment))
        owner = deployment.worker("owner")
        wait_applied(deployment, len(shop.sold))
        wait_applied(deployment, total(deployment, "u", "applied") + 500)
    exact(deployment, shop.sold)
    newer = users(redis_lists(deployment))
    # A user who has seen every item has no list any more.
    replaced = sum(newer.get(key, math.inf) > seq for key, seq in held.items())
    assert replaced > len(held) / 2

    joins = zombie.output.count("Joined group")
    os.kill(zombie.pid, signal.SIGCONT)
    wait_until(partial(joined_again, zombie, joins), _REJOINS_S, "it is a member again")
    assert zombie.running
    assert owner.running
    exact(deployment, shop.sold)
    after = users(redis_lists(deployment))
    assert all(after[key] >= seq for key, seq in newer.items())


@pytest.mark.ci(reason="no worker runs when the time of lists is over")
def test_lists_whose_time_is_over_while_no_worker_runs_go_from_the_topic_too(
    deployment: Deployment,
) -> None:
    """The next worker finds that they are pending, and sends null for each."""
    deployment.env["STREAMAPP_USER_LIST_TTL"] = "6"
    with selling(deployment, synthetic(seed=95, events=200, users=40), rate=400) as shop:
        one = deployment.worker("one", instance_id="one")
        shop.join()
        wait_until(lambda: len(users(last_records(deployment))) > 10, 60, "there are lists")
    one.kill()
    assert users(redis_lists(deployment))
    wait_until(lambda: not due_later(deployment), 60, "the time of all lists is over")
    deployment.worker("two", instance_id="one")
    wait_until(lambda: not users(redis_lists(deployment)), 60, "all are gone")
    exact(deployment, shop.sold)


def due_later(deployment: Deployment) -> list[int]:
    """Return when lists are removed, of those whose time is not over."""
    prefix = deployment.env["STREAMAPP_STATE_PREFIX"]
    with deployment.redis() as redis:
        now = int(redis.time()[0])
        return [
            int(at)
            for key in redis.scan_iter(f"{prefix}*:audience", count=10_000)
            for at in redis.hvals(key)
            if int(at) > now
        ]
