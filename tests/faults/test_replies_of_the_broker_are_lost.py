"""The broker appends a worker's messages, or commits its offsets, and the reply is lost."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.faults.shop import exact, selling, total, wait_applied
from tests.integration.traffic import synthetic
from tests.servers.backend import Servers
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.proxied import ProxiedTansu
from tests.servers.proxy import Proxy

_PRODUCE = re.compile(rb"aiokafka-producer-\d+\xff{4}.{0,400}-(deltas|interactions)", re.DOTALL)
"""A request that sends cuts or deltas: client id, no transaction, acknowledged by all, topics."""

_OFFSET_COMMIT = b"\x00\x08\x00\x03"
"""Key and version of the request, as its header has them."""


@pytest.fixture
def line() -> Iterator[Proxy]:
    """The proxy in front of the broker; it does nothing yet."""
    with Proxy(target_port=0) as made:
        yield made


@pytest.fixture
def distant(servers: Servers, line: Proxy, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment whose broker is reached through the proxy only."""
    if servers.backend != "embedded":
        pytest.skip("only the embedded broker can advertise the proxy")
    with ProxiedTansu(line) as broker:
        mine = Deployment(Servers(servers.backend, broker, servers.redis), tmp_path)
        mine.env["STREAMAPP_PARTITIONS"] = "2"
        yield mine
        mine.remove()


def lost(line: Proxy, replies: int) -> bool:
    """Return whether this many replies were lost."""
    return line.lost >= replies


@pytest.mark.ci(reason="the broker appends, and the reply is lost")
def test_messages_whose_acknowledgement_is_lost_count_once(
    distant: Deployment, line: Proxy
) -> None:
    """The worker sends messages again that the broker has; applied offsets drop the copies."""
    with selling(distant, synthetic(seed=53, events=100_000), rate=500) as shop:
        one = distant.worker("one")
        for turn in range(1, 6):
            wait_applied(distant, 500 * turn)
            line.lose_replies(10, to=_PRODUCE)
            wait_until(partial(lost, line, 10 * turn), 60, "replies are lost")
        assert one.running, one.output
    exact(distant, shop.sold)
    assert total(distant, "u", "replayed") + total(distant, "i", "replayed") > 0


@pytest.mark.full
def test_a_commit_that_fails_stops_nothing(distant: Deployment, line: Proxy) -> None:
    """Kafka's offset is a hint: counts go on without it, and a later commit succeeds."""
    with selling(distant, synthetic(seed=54, events=100_000), rate=500) as shop:
        one = distant.worker("one")
        wait_applied(distant, 500)
        line.lose_replies(5, to=_OFFSET_COMMIT)
        wait_until(partial(lost, line, 5), 60, "replies to commits are lost")
        wait_until(lambda: "Error sending OffsetCommitRequest" in one.output, 60, "it says so")
        wait_applied(distant, total(distant, "u", "applied") + 1_000)
        assert one.running, one.output
    exact(distant, shop.sold)
