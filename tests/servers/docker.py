"""The backend `docker`: the images that `docker-compose.yml` pins, by testcontainers."""

from collections.abc import Callable, Mapping
from pathlib import Path

import docker
import yaml
from docker.errors import DockerException
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from testcontainers.core.container import DockerContainer

from streamapp.embedded.server import HOST, free_port
from streamapp.embedded.tansu import cluster_at
from tests.servers.backend import Backend, BackendError
from tests.servers.deadline import wait_until

_COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"
_START_S = 60.0
_STOP_S = 20


class Container:
    """A server in a container, published on a loopback port that stays the same.

    Attributes:
        keeps_data: Whether its data survives the end of its process.
        url: The value of the setting that names this server.
    """

    def __init__(
        self,
        service: str,
        inside: int,
        url: Callable[[int], str],
        answers: Callable[[int], bool],
        environment: Callable[[int], Mapping[str, str]],
        command: list[str] | None = None,
        *,
        keeps_data: bool,
    ) -> None:
        """Make it, without starting it.

        Args:
            service: Name of its image in the compose file.
            inside: The port on which it listens in the container.
            url: Its URL on a port of this machine.
            answers: Whether it answers on a port of this machine.
            environment: Its environment, for a port of this machine.
            command: Its command; None for the image's own.
            keeps_data: Whether its data survives the end of its process.
        """
        self.keeps_data = keeps_data
        self._port = free_port()
        self.url = url(self._port)
        self._answers = answers
        image = yaml.safe_load(_COMPOSE.read_text())["services"][service]["image"]
        self._container = DockerContainer(image, env=dict(environment(self._port)))
        if command:
            self._container.with_command(command)
        # The client takes an address with the port, so that only this machine reaches it.
        self._container.ports[f"{inside}/tcp"] = (HOST, self._port)  # type: ignore[assignment]
        self._made = False

    def start(self) -> None:
        """Start it, again on the same port; return when it answers."""
        if self._made:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._made = True
        wait_until(lambda: self._answers(self._port), _START_S, f"{self.url} answers")

    def stop(self) -> None:
        """End its process with SIGTERM, and with SIGKILL if that takes too long."""
        self._container.get_wrapped_container().stop(timeout=_STOP_S)

    def kill(self) -> None:
        """End its process with SIGKILL."""
        self._container.get_wrapped_container().kill()

    def close(self) -> None:
        """Remove the container."""
        if self._made:
            self._container.stop()


def _kafka() -> Container:
    return Container(
        "kafka",
        9092,
        lambda port: f"kafka://{HOST}:{port}",
        _kafka_answers,
        lambda port: {
            "KAFKA_NODE_ID": "1",
            "KAFKA_PROCESS_ROLES": "broker,controller",
            "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
            "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
            "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{HOST}:{port}",
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
            "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
            "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
            "KAFKA_BROKER_HEARTBEAT_INTERVAL_MS": "500",
            "KAFKA_BROKER_SESSION_TIMEOUT_MS": "2000",
        },
        keeps_data=True,
    )


def _redis(keeps_data: bool) -> Container:
    return Container(
        "redis",
        6379,
        lambda port: f"redis://{HOST}:{port}/0",
        _redis_answers,
        lambda _: {},
        ["redis-server", "--save", "", "--appendonly", "yes" if keeps_data else "no"],
        keeps_data=keeps_data,
    )


def _kafka_answers(port: int) -> bool:
    try:
        return cluster_at(port) is not None
    except OSError:
        return False


def _redis_answers(port: int) -> bool:
    with Redis(HOST, port) as client:
        try:
            return bool(client.ping())
        except RedisConnectionError:
            return False


def _check() -> None:
    """Ask the engine itself, because an installed client proves nothing.

    Raises:
        BackendError: no engine answers.
    """
    try:
        client = docker.from_env(timeout=5)
    except DockerException as error:
        raise BackendError(f"no Docker engine answers: {error}") from None
    client.ping()
    client.close()


BACKEND = Backend(_kafka, _redis, _check)
