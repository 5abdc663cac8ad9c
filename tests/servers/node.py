"""A Redis for one test: restarted, lost, copied by a replica, out of memory."""

import shutil
from typing import ClassVar

from redis import Redis

from streamapp.embedded import Valkey
from streamapp.embedded.server import HOST
from tests.servers.deadline import wait_until

_LINK_S = 20.0


class RedisNode(Valkey):
    """Redis itself if it is installed, otherwise the embedded Valkey.

    Attributes:
        primary_port: Port of the server that it copies; 0 for none.
    """

    name: ClassVar[str] = "node"
    primary_port: int = 0

    def program(self) -> str:
        """Return the path of the server's program."""
        return shutil.which("redis-server") or super().program()

    def command(self) -> list[str]:
        """Return the server's command line."""
        copies = ["--replicaof", HOST, str(self.primary_port)] if self.primary_port else []
        # A replica that was away for a moment need not copy everything again.
        return [*super().command(), "--repl-diskless-sync-delay", "0", *copies]

    def client(self) -> Redis:
        """Return a client, which the caller closes."""
        return Redis.from_url(self.url)

    def lose_everything(self) -> None:
        """Kill it, and start it again on the same port without its data."""
        self.kill()
        shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)
        self.start()

    def await_link(self) -> None:
        """Return when this replica has all data of its primary."""
        with self.client() as redis:
            wait_until(
                lambda: redis.info("replication").get("master_link_status") == "up",
                _LINK_S,
                lambda: f"the replica copied its primary: {redis.info('replication')}",
            )

    def promote(self) -> None:
        """Make this replica a primary."""
        with self.client() as redis:
            redis.replicaof("NO", "ONE")
