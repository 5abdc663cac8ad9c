"""Chaos. The site: a broker behind a proxy, and a Redis behind one, or a Redis Cluster.

Whoever connects is sent to the proxies: the broker advertises its proxy's port.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from streamapp.embedded import Tansu
from streamapp.embedded.server import HOST, Server
from tests.chaos.state import StateCluster, StatePair
from tests.servers.kafka import Kafka
from tests.servers.lane import LaneError, Servers, lane
from tests.servers.proxy import Proxy


class _ProxiedTansu(Tansu):
    """The embedded broker, which sends its clients to a proxy."""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__()
        self._proxy = proxy

    @property
    def url(self) -> str:
        """The value of `STREAMAPP_BROKER_URL`."""
        return f"kafka://{HOST}:{self._proxy.port}"

    def command(self) -> list[str]:
        """Return the command line; point the proxy to the port that was chosen."""
        self._proxy.target_port = self.port
        command = super().command()
        command[command.index("--advertised-listener-url") + 1] = f"tcp://{HOST}:{self._proxy.port}"
        return command


class _ProxiedKafka(Kafka):
    """Apache Kafka, which sends its clients to a proxy."""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__()
        self._proxy = proxy

    @property
    def url(self) -> str:
        """The value of `STREAMAPP_BROKER_URL`."""
        return f"kafka://{HOST}:{self._proxy.port}"

    def command(self) -> list[str]:
        """Write the properties, return the command line; point the proxy to the chosen port."""
        self._proxy.target_port = self.port
        command = super().command()
        with (self.folder / "server.properties").open("a") as properties:
            properties.write(f"advertised.listeners=PLAINTEXT://{HOST}:{self._proxy.port}\n")
        return command


class Site:
    """Everything that a worker connects to.

    Attributes:
        broker: The broker.
        redis: A primary and its replica, or a cluster.
        broker_proxy: What stands in front of the broker.
        redis_proxy: What stands in front of the primary; of nothing where there is a cluster.
    """

    def __init__(
        self, lane_name: str, broker_proxy: Proxy, redis_proxy: Proxy, *, cluster: bool
    ) -> None:
        made = {"embedded": _ProxiedTansu, "kafka": _ProxiedKafka}
        if lane_name not in made:
            raise LaneError(f"chaos has no lane {lane_name}: one of {', '.join(made)} is needed")
        self.broker_proxy = broker_proxy
        self.redis_proxy = redis_proxy
        self.broker = made[lane_name](broker_proxy)
        self.redis = StateCluster() if cluster else StatePair(redis_proxy)
        self.servers = Servers(lane_name, self.broker, self.redis)

    def heal(self) -> None:
        """End every fault of the proxies."""
        self.broker_proxy.heal()
        self.redis_proxy.heal()


@contextmanager
def open_site(lane_name: str, *, cluster: bool = False) -> Iterator[Site]:
    """Run a site.

    Args:
        lane_name: Of what kind its broker is.
        cluster: Whether its Redis is a cluster.

    Raises:
        LaneError: the lane cannot run on this machine.
    """
    lane(lane_name).check()
    with ExitStack() as stack:
        proxies = [stack.enter_context(Proxy(0)) for _ in range(2)]
        site = Site(lane_name, *proxies, cluster=cluster)
        for server in (site.broker, site.redis):
            stack.callback(server.close)
            server.start()
        yield site


@contextmanager
def silenced(server: Server) -> Iterator[None]:
    """Stop the process of a server in its tracks (SIGSTOP), and let it go on."""
    pid = server.pid
    if pid is None:
        raise LaneError(f"{server.name} does not run")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
