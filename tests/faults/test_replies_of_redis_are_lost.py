"""Redis does its work, but its replies are lost: scripts run again, and events count once."""

import random

import pytest

from streamapp.store.redis import scripts
from tests.faults.shop import exact, selling, total, wait_applied
from tests.integration.traffic import synthetic
from tests.servers.deadline import wait_until
from tests.servers.deployment import Deployment
from tests.servers.node import RedisNode
from tests.servers.proxy import Proxy

_LOSSES = 3
_CUTS = 6


@pytest.mark.parametrize(
    "hangs",
    [
        pytest.param(
            False,
            id="connection-ends",
            marks=pytest.mark.ci(reason="replies to every script are lost"),
        ),
        pytest.param(True, id="connection-hangs", marks=pytest.mark.full),
    ],
)
def test_replies_to_every_script_are_lost(apart: Deployment, proxy: Proxy, hangs: bool) -> None:
    """Blobs, positions and lists: each was written, the worker does not know, and writes again."""
    with selling(apart, synthetic(seed=51, events=100_000), rate=500) as shop:
        one = apart.worker(redis_url=proxy.redis_url, redis_timeout="1", instance_id="one")
        for name in ("put-blobs", "commit", "replace-lists"):
            digest, _ = scripts._source(name)
            expected = proxy.lost + _LOSSES
            proxy.lose_replies(_LOSSES, to=digest.encode(), hangs=hangs)
            wait_until(lambda: proxy.lost == expected, 60, lambda: f"{name}: {proxy.lost} lost")  # noqa: B023
            wait_applied(apart, total(apart, "u", "applied") + 300)
    assert one.running
    exact(apart, shop.sold)


@pytest.mark.full
def test_connections_are_cut_in_the_middle_and_scripts_are_forgotten(
    apart: Deployment, node: RedisNode, proxy: Proxy
) -> None:
    """Half a request reaches Redis, or half a reply the worker; SCRIPT FLUSH while it runs."""
    chance = random.Random(52)  # noqa: S311 - bytes, not secrets
    with selling(apart, synthetic(seed=52, events=100_000), rate=500) as shop:
        one = apart.worker(redis_url=proxy.redis_url, instance_id="one")
        for number in range(_CUTS):
            before = proxy.accepted
            proxy.cut(after_bytes=chance.randrange(1, 50_000))
            wait_until(lambda: proxy.accepted > before, 60, "the worker connects again")  # noqa: B023
            if number % 2:
                with node.client() as redis:
                    redis.script_flush()
            wait_applied(apart, total(apart, "u", "applied") + 200)
    assert one.running
    exact(apart, shop.sold)
