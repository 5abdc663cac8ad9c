"""Fixtures for a Redis that fails: a server for one test, and a proxy in front of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.backend import Servers
from tests.servers.deployment import Deployment
from tests.servers.node import RedisNode
from tests.servers.proxy import Proxy


@pytest.fixture
def node() -> Iterator[RedisNode]:
    """A Redis of this test alone, which keeps its data."""
    with RedisNode(keeps_data=True) as made:
        yield made


@pytest.fixture
def proxy(node: RedisNode) -> Iterator[Proxy]:
    """The proxy in front of that Redis; it does nothing yet."""
    with Proxy(node.port) as made:
        yield made


@pytest.fixture
def apart(servers: Servers, node: RedisNode, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment on the shared broker and that Redis; the audit does not use the proxy."""
    mine = Deployment(Servers(servers.backend, servers.broker, node), tmp_path)
    mine.env["STREAMAPP_PARTITIONS"] = "2"
    yield mine
    mine.end()
    mine.remove_topics()
