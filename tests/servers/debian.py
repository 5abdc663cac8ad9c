"""Redis itself, from Debian's package `redis-server`."""

import shutil
from typing import ClassVar

from streamapp.embedded import Valkey
from tests.servers.backend import BackendError


class DebianRedis(Valkey):
    """The machine's program, with nothing of the machine's configuration."""

    name: ClassVar[str] = "redis"

    def program(self) -> str:
        """Return the path of `redis-server`.

        Raises:
            BackendError: it is not installed.
        """
        found = shutil.which("redis-server")
        if found is None:
            raise BackendError("there is no redis-server: apt-get install redis-server")
        return found
