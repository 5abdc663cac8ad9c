"""The servers of a chaos run: a broker behind a proxy, and a Redis behind one or a Redis Cluster.

Every client connects to the proxies: the broker advertises its proxy's port.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from streamapp.embedded.server import Server
from tests.chaos.state import StateCluster, StatePair
from tests.servers.backend import BackendError, Servers, backend_named
from tests.servers.proxied import ProxiedKafka, ProxiedTansu
from tests.servers.proxy import Proxy


class Site:
    """Everything that a worker connects to.

    Attributes:
        broker: The broker.
        redis: A primary and its replica, or a cluster.
        broker_proxy: The proxy in front of the broker.
        redis_proxy: The proxy in front of the primary; it leads nowhere if there is a cluster.
    """

    def __init__(
        self, backend: str, broker_proxy: Proxy, redis_proxy: Proxy, *, cluster: bool
    ) -> None:
        made = {"embedded": ProxiedTansu, "kafka": ProxiedKafka}
        if backend not in made:
            raise BackendError(
                f"chaos has no backend {backend}: one of {', '.join(made)} is needed"
            )
        self.broker_proxy = broker_proxy
        self.redis_proxy = redis_proxy
        self.broker = made[backend](broker_proxy)
        self.redis = StateCluster() if cluster else StatePair(redis_proxy)
        self.servers = Servers(backend, self.broker, self.redis)

    def heal(self) -> None:
        """End every fault of the proxies."""
        self.broker_proxy.heal()
        self.redis_proxy.heal()


@contextmanager
def open_site(backend: str, *, cluster: bool = False) -> Iterator[Site]:
    """Run a site.

    Args:
        backend: Name of the backend of its broker.
        cluster: Whether its Redis is a cluster.

    Raises:
        BackendError: the backend cannot run on this machine.
    """
    backend_named(backend).check()
    with ExitStack() as stack:
        proxies = [stack.enter_context(Proxy(0)) for _ in range(2)]
        site = Site(backend, *proxies, cluster=cluster)
        for server in (site.broker, site.redis):
            stack.callback(server.close)
            server.start()
        yield site


@contextmanager
def silenced(server: Server) -> Iterator[None]:
    """Stop the process of a server (SIGSTOP), and let it go on."""
    pid = server.pid
    if pid is None:
        raise BackendError(f"{server.name} does not run")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
