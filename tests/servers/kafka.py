"""Apache Kafka itself: broker and controller in one process (KRaft), from its jars."""

import subprocess
from base64 import urlsafe_b64encode
from typing import ClassVar
from uuid import uuid4

from streamapp.embedded.server import HOST, Server, free_port
from streamapp.embedded.tansu import cluster_at
from tests.servers.backend import Backend, BackendError
from tests.servers.debian import DebianRedis
from tests.servers.jars import java, kafka_jars

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
"""
"""The short session lets a broker that was killed register again at once."""

_FLAGS = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
"""A small heap, and a compiler that starts fast rather than ends fast."""


class Kafka(Server):
    """A cluster of one node, which keeps its data."""

    name: ClassVar[str] = "kafka"
    option: ClassVar[str] = "port"
    start_s: ClassVar[float] = 60.0
    stop_s: ClassVar[float] = 20.0
    keeps_data = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        # A cluster id is a UUID in base 64; a leading dash would be taken for an option.
        self._cluster = "k" + urlsafe_b64encode(uuid4().bytes).decode()[1:22]
        self._controller_port = free_port()

    @property
    def url(self) -> str:
        """The value of `STREAMAPP_BROKER_URL`."""
        return f"kafka://{HOST}:{self.port}"

    def command(self) -> list[str]:
        """Write the properties, format the storage the first time, return the command line."""
        jvm = [java(), *_FLAGS, "-cp", f"{kafka_jars()}/*"]
        data, properties = self.folder / "data", self.folder / "server.properties"
        if not self._settled:
            self._controller_port = free_port()
        properties.write_text(
            _PROPERTIES.format(
                host=HOST, port=self.port, controller_port=self._controller_port, data=data
            )
        )
        if not data.exists():
            self._format([*jvm, "kafka.tools.StorageTool", "format"], str(properties))
        return [*jvm, "kafka.Kafka", str(properties)]

    def answers(self) -> bool:
        """Whether the broker that answers belongs to this server's cluster."""
        return cluster_at(self.port) == self._cluster

    def _format(self, tool: list[str], properties: str) -> None:
        done = subprocess.run(
            [*tool, "--cluster-id", self._cluster, "--config", properties],
            capture_output=True, text=True, check=False, env={},
        )  # fmt: skip
        if done.returncode:
            raise BackendError(f"Kafka's storage cannot be formatted: {done.stdout}{done.stderr}")


def _check() -> None:
    java()
    kafka_jars()
    DebianRedis().program()


BACKEND = Backend(Kafka, lambda keeps_data: DebianRedis(keeps_data=keeps_data), _check)
