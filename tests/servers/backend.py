"""A lane: the broker and the Redis that a test run stands on.

| lane | broker | redis | needs |
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
    """A lane cannot run on this machine; says what is missing."""


class Runnable(Protocol):
    """A server of a lane: a process or a container."""

    keeps_data: bool

    @property
    def url(self) -> str:
        """The value of the setting that names this server."""

    def start(self) -> None:
        """Start it, again on the same port; return when it answers."""

    def stop(self) -> None:
        """End it in order."""

    def kill(self) -> None:
        """End it as a crash would."""

    def close(self) -> None:
        """End it and remove what it holds."""


@dataclass(frozen=True)
class Servers:
    """A broker and a Redis.

    Attributes:
        lane: Which lane they are of.
        broker: Kafka, or what speaks its protocol.
        redis: Redis, or what speaks its protocol.
    """

    lane: str
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
    """How the servers of a lane are made.

    Attributes:
        broker: Makes a broker.
        redis: Makes a Redis, of which `keeps_data` says whether it survives its process.
        check: Raises `BackendError` where the lane cannot run.
    """

    broker: Callable[[], Runnable]
    redis: Callable[[bool], Runnable]
    check: Callable[[], None]


BACKENDS = ("embedded", "kafka", "docker")


def lane(name: str) -> Backend:
    """Return a lane by name.

    Raises:
        BackendError: there is none of that name.
    """
    if name not in BACKENDS:
        raise BackendError(f"STREAMAPP_TEST_LANE={name}: one of {', '.join(BACKENDS)} is needed")
    found: Backend = import_module(f"tests.servers.{name}").LANE
    return found


@contextmanager
def running(name: str, *, keeps_data: bool = False) -> Iterator[Servers]:
    """Run the servers of a lane.

    Args:
        name: Which lane.
        keeps_data: Whether the Redis must survive its process; it is slower then.

    Raises:
        BackendError: the lane cannot run on this machine.
    """
    chosen = lane(name)
    chosen.check()
    servers = Servers(name, chosen.broker(), chosen.redis(keeps_data))
    try:
        servers.broker.start()
        servers.redis.start()
        yield servers
    finally:
        servers.redis.close()
        servers.broker.close()
