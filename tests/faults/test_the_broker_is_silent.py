"""The broker stops answering for half a minute, then goes on as before."""

import os
import signal
import time

import pytest

from streamapp.embedded.server import Server
from tests.faults.shop import exact, selling, total, wait_applied
from tests.integration.traffic import synthetic
from tests.servers.deployment import Deployment

pytestmark = [pytest.mark.kafka, pytest.mark.full]

_SILENCE_S = 30.0


def test_half_a_minute_of_silence_ends_nothing_and_counts_nothing_twice(
    own_deployment: Deployment,
) -> None:
    """Longer than any session, with requests in flight: the worker waits, and then goes on."""
    broker = own_deployment.servers.broker
    if not isinstance(broker, Server):
        pytest.skip("a container's process cannot be stopped from here")
    with selling(own_deployment, synthetic(seed=51, events=100_000), rate=300) as shop:
        one = own_deployment.worker("one")
        wait_applied(own_deployment, 1_000)
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGSTOP)
        # The fault itself: nothing can be observed while it lasts.
        time.sleep(_SILENCE_S)
        os.kill(broker.pid, signal.SIGCONT)
        wait_applied(own_deployment, total(own_deployment, "u", "applied") + 1_000)
        assert one.running, one.output
        assert f"kafka does not answer at {broker.url}, attempt 2; waiting" in one.output
    exact(own_deployment, shop.sold)
