"""Chaos. The site: a broker behind a proxy, and a Redis behind one, with a replica that copies it.

Whoever connects is sent to the proxies: the broker advertises its proxy's port, and the Redis
proxy leads to whichever server is the primary.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from streamapp.embedded import Tansu
from streamapp.embedded.server import HOST, Server
from tests.servers.kafka import Kafka
from tests.servers.lane import LaneError, Servers, lane
from tests.servers.node import RedisNode
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


class _Durable(RedisNode):
    """A Redis that has on disk what it has said yes to."""

    def __init__(self, primary_port: int = 0) -> None:
        super().__init__(keeps_data=True)
        self.primary_port = primary_port

    def command(self) -> list[str]:
        """Return the server's command line."""
        return [*super().command(), "--appendfsync", "always"]


class StatePair:
    """A primary behind a proxy, and a replica that can take its place, behind as it may be.

    Attributes:
        keeps_data: What it holds survives its processes.
        promotions: How often a replica took the place of a primary.
        primary: The server that the proxy leads to.
    """

    keeps_data = True

    def __init__(self, proxy: Proxy) -> None:
        self.promotions = 0
        self._proxy = proxy
        self.primary = _Durable()
        self._replica = _Durable()

    @property
    def url(self) -> str:
        """The value of `STREAMAPP_REDIS_URL`."""
        return f"redis://{HOST}:{self._proxy.port}/0"

    def start(self) -> None:
        """Start the primary; again on the same port, with what it holds."""
        self.primary.start()
        self._proxy.target_port = self.primary.port

    def copy(self) -> None:
        """Give the primary a replica, and wait until that has everything."""
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
        """End both, and remove what they hold."""
        self.primary.close()
        self._replica.close()

    def promote(self, behind_s: float) -> None:
        """Let the replica fall behind for so long, then let it take the place of the primary."""
        self._replica.await_link()
        self._replica.promote()
        time.sleep(behind_s)
        self.promotions += 1
        lost, self.primary, self._replica = self.primary, self._replica, _Durable()
        lost.close()
        self.primary.primary_port = 0
        self._proxy.target_port = self.primary.port
        self._proxy.cut()
        self.copy()


class Site:
    """Everything that a worker connects to.

    Attributes:
        broker: The broker.
        redis: The primary and its replica.
        broker_proxy: What stands in front of the broker.
        redis_proxy: What stands in front of the primary.
    """

    def __init__(self, lane_name: str, broker_proxy: Proxy, redis_proxy: Proxy) -> None:
        made = {"embedded": _ProxiedTansu, "kafka": _ProxiedKafka}
        if lane_name not in made:
            raise LaneError(f"chaos has no lane {lane_name}: one of {', '.join(made)} is needed")
        self.broker_proxy = broker_proxy
        self.redis_proxy = redis_proxy
        self.broker = made[lane_name](broker_proxy)
        self.redis = StatePair(redis_proxy)
        self.servers = Servers(lane_name, self.broker, self.redis)

    def heal(self) -> None:
        """End every fault of the proxies."""
        self.broker_proxy.heal()
        self.redis_proxy.heal()


@contextmanager
def open_site(lane_name: str) -> Iterator[Site]:
    """Run a site.

    Raises:
        LaneError: the lane cannot run on this machine.
    """
    lane(lane_name).check()
    with ExitStack() as stack:
        proxies = [stack.enter_context(Proxy(0)) for _ in range(2)]
        site = Site(lane_name, *proxies)
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
