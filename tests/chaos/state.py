"""The Redis of a run: a primary and the replica that can take its place, or a cluster.

The proxy leads to the current primary. A cluster has no proxies, because its nodes give clients
their own addresses.
"""

import time
from random import Random

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from streamapp.embedded.server import HOST
from tests.servers.cluster import Cluster
from tests.servers.node import RedisNode
from tests.servers.proxy import Proxy

_TIMEOUT_S = 1.0


class _Durable(RedisNode):
    """A Redis that has on disk every write that it has acknowledged."""

    def __init__(self, primary_port: int = 0) -> None:
        super().__init__(keeps_data=True)
        self.primary_port = primary_port

    def command(self) -> list[str]:
        """Return the server's command line."""
        return [*super().command(), "--appendfsync", "always"]


class StatePair:
    """A primary behind a proxy, and a replica that can take its place and may be behind.

    Attributes:
        keeps_data: Whether its data survives its processes.
        promotions: How often a replica took the place of a primary.
        promoting: Whether a replica is about to do so.
        primary: The server that the proxy leads to.
    """

    keeps_data = True

    def __init__(self, proxy: Proxy) -> None:
        self.promotions, self.promoting = 0, False
        self._proxy = proxy
        self.primary = _Durable()
        self._replica = _Durable()

    @property
    def url(self) -> str:
        """The value of `STREAMAPP_REDIS_URL`."""
        return f"redis://{HOST}:{self._proxy.port}/0"

    def start(self) -> None:
        """Start the primary; a later start uses the same port and data."""
        self.primary.start()
        self._proxy.target_port = self.primary.port

    def copy(self) -> None:
        """Give the primary a replica, and wait until it has all data."""
        self._replica.close()
        self._replica = _Durable(self.primary.port)
        self._replica.start()
        self._replica.await_link()

    def stop(self) -> None:
        """End the primary in order."""
        self.primary.stop()

    def kill(self) -> None:
        """End the primary as a crash would."""
        self.primary.kill()

    def close(self) -> None:
        """End both, and remove their data."""
        self.primary.close()
        self._replica.close()

    def reader(self) -> Redis:
        """Return a client of the current primary."""
        return Redis.from_url(self.primary.url, socket_timeout=_TIMEOUT_S)

    def victims(self, _: Random) -> list[RedisNode]:
        """Return the servers of a fault."""
        return [self.primary]

    def promote(self, behind_s: float) -> None:
        """Let the replica fall behind for this long, then let it take the place of the primary."""
        self._replica.await_link()
        self._replica.promote()
        time.sleep(behind_s)
        self.promoting = True
        lost, self.primary, self._replica = self.primary, self._replica, _Durable()
        lost.close()
        self.primary.primary_port = 0
        self._proxy.target_port = self.primary.port
        self._proxy.cut()
        self.promotions += 1
        self.promoting = False
        self.copy()


class StateCluster(Cluster):
    """Three nodes; a replica can take the place of any but the first, whose address is known.

    Attributes:
        promotions: How often a replica took the place of a primary.
        promoting: Whether a replica is about to do so.
    """

    def __init__(self) -> None:
        super().__init__()
        self.promotions, self.promoting = 0, False

    def copy(self) -> None:
        """Nodes get replicas when they are about to go."""

    def reader(self) -> Redis:
        """Return a client."""
        client: Redis = RedisCluster.from_url(self.url, socket_timeout=_TIMEOUT_S)  # type: ignore[assignment]
        return client

    def victims(self, chance: Random) -> list[RedisNode]:
        """Return the servers of a fault: one, or now and then all."""
        return list(self.nodes) if chance.random() < 1 / 4 else [chance.choice(self.nodes)]

    def promote(self, _: float) -> None:
        """Let a replica take the place of a node."""
        self.promoting = True
        self.await_whole()
        self.fail_over(self.nodes[1 + self.promotions % 2])
        self.promotions += 1
        self.promoting = False
