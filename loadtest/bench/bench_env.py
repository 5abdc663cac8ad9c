"""The bench environment: servers, a folder and a namespace for the runs of one scenario.

A run has its own group, state, lists and internal topics. The runs of an environment share the
event topic, so the app and its rivals read the same records.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any

from redis import Redis

from loadtest.bench.cpus import Cpus, kept_to
from loadtest.bench.process import Process
from streamapp.config.env_check import PREFIX
from streamapp.config.loader import load_settings
from streamapp.config.settings import Settings
from streamapp.embedded import Tansu, Valkey
from streamapp.transport.topics import administration, ensure_topics

_KEYS_AT_ONCE = 10_000


@dataclass
class BenchEnv:
    """The environment of runs.

    Attributes:
        folder: For logs and event logs; removed with the environment.
        broker_url: As the setting.
        redis_url: As the setting.
        cpus: The division of CPUs.
        common: Settings of all runs, by name without the prefix.
        name: Prefix of all names of the environment.
        chosen: Own settings of a run, by run.
    """

    folder: Path
    broker_url: str
    redis_url: str
    cpus: Cpus
    common: dict[str, str] = field(default_factory=dict)
    name: str = field(default_factory=lambda: f"bench-{token_hex(4)}")
    chosen: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def topic(self) -> str:
        """The event topic."""
        return f"{self.name}-events"

    def values(self, run: str) -> dict[str, str]:
        """Return the settings of a run, by name without the prefix."""
        prefix = f"{self.name}-{run}"
        return {
            "broker_url": self.broker_url,
            "redis_url": self.redis_url,
            "group_id": prefix,
            "event_topics": self.topic,
            "topic_types": f"{self.topic}=click",
            "interactions_topic": f"{prefix}-interactions",
            "deltas_topic": f"{prefix}-deltas",
            "lists_topic": f"{prefix}-lists",
            "list_prefix": f"{prefix}:recs:v1:",
            "state_prefix": f"{prefix}:state:",
            # The embedded broker lets a group form for half of this.
            "session_timeout": "6",
            **self.common,
            **self.chosen.get(run, {}),
        }

    def settings(self, run: str) -> Settings:
        """Return the settings of a run."""
        values: dict[str, Any] = self.values(run)
        return Settings(_env_file=None, **values)

    def environment(self, run: str) -> dict[str, str]:
        """Return the environment of a process of a run."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(PREFIX)
        }
        chosen = {PREFIX + name.upper(): value for name, value in self.values(run).items()}
        return inherited | chosen

    def redis(self) -> Redis:
        """Return a client, which the caller closes."""
        return Redis.from_url(self.redis_url)

    def make_topics(self, run: str) -> None:
        """Make the missing topics of a run."""

        async def make() -> None:
            settings = self.settings(run)
            async with administration(settings) as admin:
                await ensure_topics(admin, settings)

        asyncio.run(make())

    def start(
        self, run: str, name: str, arguments: list[str], cpus: tuple[int, ...] | None = None
    ) -> Process:
        """Start `python -m ARGUMENTS` in a run, beside the servers or on CPUs of its own."""
        return Process(f"{run}-{name}", arguments, self.folder, self.environment(run),
                       self.cpus.rest if cpus is None else cpus)  # fmt: skip

    def program(
        self, run: str, module: str, asked: dict[str, Any], cpus: tuple[int, ...] | None = None
    ) -> Process:
        """Start a program of the benchmark with JSON input."""
        started = self.start(run, module.rpartition(".")[2], [module], cpus)
        started.say(asked)
        return started

    def clear(self, run: str = "") -> None:
        """Delete the topics and keys of a run; of all runs if none is named."""
        prefix = f"{self.name}-{run}"
        asyncio.run(self._delete_topics(prefix))
        with self.redis() as redis:
            keys: list[bytes] = []
            for key in redis.scan_iter(f"{prefix}*", count=_KEYS_AT_ONCE):
                keys.append(key)
                if len(keys) >= _KEYS_AT_ONCE:
                    redis.unlink(*keys)
                    keys = []
            if keys:
                redis.unlink(*keys)

    async def _delete_topics(self, prefix: str) -> None:
        async with administration(self.settings("clear")) as admin:
            mine = [name for name in await admin.list_topics() if name.startswith(prefix)]
            if mine:
                await admin.delete_topics(mine)


@contextmanager
def open_bench_env(cpus: Cpus, *, own_servers: bool, common: dict[str, str]) -> Iterator[BenchEnv]:
    """Yield an environment; its processes, topics and keys end with it.

    Args:
        cpus: The division of CPUs.
        own_servers: Whether to start embedded servers; otherwise those of the settings are used.
        common: Settings of all runs, by name without the prefix.

    Raises:
        ConfigError: the extra `embedded` is not installed, or a setting is impossible.
        StreamappError: a server does not start.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="streamapp-bench-"))
        stack.enter_context(kept_to(cpus.rest))
        if own_servers:
            broker, redis = stack.enter_context(Tansu()), stack.enter_context(Valkey())
            yield BenchEnv(Path(folder), broker.url, redis.url, cpus, common)
            return
        given = load_settings()
        env = BenchEnv(Path(folder), given.broker_url, given.redis_url, cpus, common)
        try:
            yield env
        finally:
            env.clear()
