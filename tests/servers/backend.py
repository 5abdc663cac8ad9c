"""A backend: the broker and the Redis that a test run uses.

| backend | broker | redis | needs |
|---|---|---|---|
| `embedded` | Tansu, in memory | Valkey | the extra `embedded` |
| `kafka` | Apache Kafka | Debian's redis-server | Java 17, Maven, redis-server |
| `docker` | the image `apache/kafka` | the image `redis` | a Docker engine |
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol


class BackendError(Exception):
    """A backend cannot run on this machine; the message says what is missing."""


class Runnable(Protocol):
    """A server of a backend: a process or a container."""

    keeps_data: bool

    @property
    def url(self) -> str:
        """The value of the setting that names this server."""

    def start(self) -> None:
        """Start it, again on the same port; return when it answers."""

    def stop(self) -> None:
        """Stop it in order."""

    def kill(self) -> None:
        """End it as a crash would."""

    def close(self) -> None:
        """End it and remove its data."""


@dataclass(frozen=True)
class Servers:
    """A broker and a Redis.

    Attributes:
        backend: Name of their backend.
        broker: Kafka, or a server with its protocol.
        redis: Redis, or a server with its protocol.
    """

    backend: str
    broker: Runnable
    redis: Runnable

    @property
    def bootstrap(self) -> str:
        """The broker as `host:port`."""
        return self.broker.url.removeprefix("kafka://")

    @property
    def redis_url(self) -> str:
        """The Redis as `redis://host:port/db`."""
        return self.redis.url


@dataclass(frozen=True)
class Backend:
    """How the servers of a backend are made.

    Attributes:
        broker: Makes a broker.
        redis: Makes a Redis; `keeps_data` says whether its data survives its process.
        check: Raises `BackendError` if the backend cannot run.
    """

    broker: Callable[[], Runnable]
    redis: Callable[[bool], Runnable]
    check: Callable[[], None]


BACKENDS = ("embedded", "kafka", "docker")


def backend_named(name: str) -> Backend:
    """Return a backend by name.

    Raises:
        BackendError: there is no backend of that name.
    """
    if name not in BACKENDS:
        raise BackendError(f"STREAMAPP_TEST_LANE={name}: one of {', '.join(BACKENDS)} is needed")
    found: Backend = import_module(f"tests.servers.{name}").BACKEND
    return found


@contextmanager
def running(name: str, *, keeps_data: bool = False) -> Iterator[Servers]:
    """Run the servers of a backend.

    Args:
        name: Name of the backend.
        keeps_data: Whether the Redis must survive its process; it is slower then.

    Raises:
        BackendError: the backend cannot run on this machine.
    """
    chosen = backend_named(name)
    chosen.check()
    servers = Servers(name, chosen.broker(), chosen.redis(keeps_data))
    try:
        servers.broker.start()
        servers.redis.start()
        yield servers
    finally:
        servers.redis.close()
        servers.broker.close()
