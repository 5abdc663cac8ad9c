"""A benchmark environment for tests that use its measurements."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.bench.bench import Bench
from loadtest.bench.bench_env import BenchEnv
from loadtest.bench.cpus import Cpus, available_cpus
from streamapp.cli.terminal.console import Step
from tests.servers.backend import Servers


@pytest.fixture
def env(servers: Servers, tmp_path: Path) -> Iterator[BenchEnv]:
    """An environment of the benchmark on the servers of the test; no process has its own CPU."""
    everywhere = tuple(sorted(available_cpus()))
    made = BenchEnv(tmp_path, servers.broker.url, servers.redis_url, Cpus(everywhere, everywhere))
    yield made
    made.clear()


@pytest.fixture
def bench() -> Bench:
    """A benchmark without progress output."""

    def begin(_: str) -> Step:
        return lambda _done, _total: None

    return Bench(begin, timeout_s=200)
