"""A deployment: one namespace of topics, group and keys on servers that tests share."""

import asyncio
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import cast

from redis import Redis
from redis.cluster import RedisCluster

from streamapp.config.settings import Settings
from streamapp.transport.topics import administration
from tests.servers.backend import Servers
from tests.servers.process import AppProcess
from tests.servers.worker import Worker

PROJECT = Path(__file__).parents[2]


@dataclass
class Deployment:
    """The common settings of one test.

    Attributes:
        servers: Its servers.
        folder: Working directory of its processes, with their logs.
        name: Prefix of all its names.
        env: Its settings, as environment variables.
        workers: Every worker that was made in it.
    """

    servers: Servers
    folder: Path
    name: str = field(default_factory=lambda: f"it-{token_hex(4)}")
    env: dict[str, str] = field(init=False)
    workers: list[Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        name = self.name
        self.env = {
            "STREAMAPP_BROKER_URL": self.servers.broker.url,
            "STREAMAPP_REDIS_URL": self.servers.redis_url,
            "STREAMAPP_GROUP_ID": name,
            "STREAMAPP_EVENT_TOPICS": f"{name}-clicks,{name}-purchases",
            "STREAMAPP_TOPIC_TYPES": f"{name}-clicks=click,{name}-purchases=purchase",
            "STREAMAPP_INTERACTIONS_TOPIC": f"{name}-interactions",
            "STREAMAPP_DELTAS_TOPIC": f"{name}-deltas",
            "STREAMAPP_LISTS_TOPIC": f"{name}-lists",
            "STREAMAPP_LIST_PREFIX": f"{name}:recs:v1:",
            "STREAMAPP_STATE_PREFIX": f"{name}:state:",
            # The shortest that Kafka itself allows: a killed worker's partitions move soon.
            "STREAMAPP_SESSION_TIMEOUT": "6",
            "STREAMAPP_FAILPOINTS_ENABLED": "true",
        }

    @property
    def settings(self) -> Settings:
        """The settings of a process of this deployment."""
        prefix = "STREAMAPP_"
        values = {name.removeprefix(prefix).lower(): value for name, value in self.env.items()}
        return Settings(_env_file=None, **values)  # type: ignore[arg-type]

    @property
    def process_env(self) -> dict[str, str]:
        """The environment of a process of this deployment."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")
        }
        return inherited | {"PYTHONPATH": str(PROJECT), **self.env}

    def redis(self) -> Redis:
        """Return a client, which the caller closes."""
        url = self.env["STREAMAPP_REDIS_URL"]
        if self.settings.redis_cluster:
            return cast("Redis", RedisCluster.from_url(url))
        return Redis.from_url(url)

    def keys(self) -> list[bytes]:
        """Return all keys of this deployment."""
        with self.redis() as redis:
            return sorted(redis.scan_iter(f"{self.name}:*", count=10_000))

    def run(
        self, module: str, *arguments: str, within_s: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m MODULE ARGUMENTS` in this deployment to its end, and return its output.

        Args:
            module: `streamapp` or `loadtest`.
            arguments: Its command line.
            within_s: Seconds after which it is killed, and the test fails.
        """
        said = [self.folder / f"command-{token_hex(4)}.{name}" for name in ("out", "err")]
        command = AppProcess(module, arguments, self.folder, self.process_env, *said)
        try:
            code = command.wait(within_s)
        finally:
            command.kill()
        out, err = (path.read_text() for path in said)
        return subprocess.CompletedProcess((module, *arguments), code, out, err)

    def worker(self, name: str = "worker", **settings: str) -> Worker:
        """Make a worker and start it; return it when it is ready.

        Args:
            name: Name of its log.
            settings: More settings, by their names without the prefix: `history_cap="5"`.
        """
        made = self.idle_worker(name, **settings)
        made.start()
        return made

    def idle_worker(self, name: str = "worker", **settings: str) -> Worker:
        """Make a worker, as `worker` does, without starting it."""
        more = {f"STREAMAPP_{key.upper()}": value for key, value in settings.items()}
        made = Worker(name, self.folder, self.process_env | more)
        self.workers.append(made)
        return made

    def end(self) -> None:
        """Kill its workers, and print their logs, which pytest shows if the test failed."""
        for worker in self.workers:
            worker.kill()
            print(f"--- {worker.name} ---\n{worker.log.read_text(errors='replace')}")  # noqa: T201

    def remove(self) -> None:
        """End it, and delete its topics and keys; the broker removes a group without members."""
        self.end()
        self.remove_topics()
        with self.redis() as redis:
            for key in redis.scan_iter(f"{self.name}:*", count=10_000):
                redis.unlink(key)

    def remove_topics(self) -> None:
        """Delete its topics."""
        asyncio.run(self._delete_topics())

    async def _delete_topics(self) -> None:
        async with administration(self.settings) as admin:
            mine = [name for name in await admin.list_topics() if name.startswith(self.name)]
            if mine:
                await admin.delete_topics(mine)
