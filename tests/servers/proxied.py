"""Brokers that send their clients to a proxy, because they advertise its port."""

from streamapp.embedded import Tansu
from streamapp.embedded.server import HOST, Server
from tests.servers.kafka import Kafka
from tests.servers.proxy import Proxy


class _Proxied(Server):
    """A broker behind a proxy, which leads to the port that the broker chose."""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__()
        self._proxy = proxy

    @property
    def url(self) -> str:
        """The value of `STREAMAPP_BROKER_URL`."""
        return f"kafka://{HOST}:{self._proxy.port}"

    def advertise(self) -> str:
        """Let the proxy lead to the broker; return the address for clients."""
        self._proxy.target_port = self.port
        return f"{HOST}:{self._proxy.port}"


class ProxiedTansu(_Proxied, Tansu):
    """The embedded broker, which sends its clients to a proxy."""

    def command(self) -> list[str]:
        """Return the command line."""
        command = super().command()
        command[command.index("--advertised-listener-url") + 1] = f"tcp://{self.advertise()}"
        return command


class ProxiedKafka(_Proxied, Kafka):
    """Apache Kafka, which sends its clients to a proxy."""

    def command(self) -> list[str]:
        """Write the properties, and return the command line."""
        command = super().command()
        with (self.folder / "server.properties").open("a") as properties:
            properties.write(f"advertised.listeners=PLAINTEXT://{self.advertise()}\n")
        return command
