"""Tests. Brokers that send their clients to a proxy: it is the proxy's port that they advertise."""

from streamapp.embedded import Tansu
from streamapp.embedded.server import HOST
from tests.servers.kafka import Kafka
from tests.servers.proxy import Proxy


class ProxiedTansu(Tansu):
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


class ProxiedKafka(Kafka):
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
