"""A worker reads its state again and again while events come in; work in flight is not lost."""

from functools import partial

import pytest

from tests.faults.shop import exact, selling, wait_applied
from tests.integration.traffic import synthetic
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.node import RedisNode
from tests.servers.worker import Worker

_NOTICED = "redis was restarted or replaced"
_TIMES = 6


def _noticed_more(worker: Worker, seen: int) -> bool:
    return worker.output.count(_NOTICED) > seen


@pytest.mark.full
def test_no_record_is_passed_over_when_reading_goes_back_to_the_position(
    apart: Deployment, node: RedisNode
) -> None:
    """A read in flight when the reader went back must not swallow the records of the next one."""
    with selling(apart, synthetic(seed=61, events=100_000), rate=300) as shop:
        one = apart.worker(instance_id="one")
        for times in range(_TIMES):
            wait_applied(apart, 300 * (times + 1))
            seen = one.output.count(_NOTICED)
            node.kill()
            node.start()
            wait_until(partial(_noticed_more, one, seen), 30, "the worker notices")
    exact(apart, shop.sold)
