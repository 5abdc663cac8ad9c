"""A stage of the benchmark, for tests that hold to what it measures."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.bench.bench import Bench
from loadtest.bench.cpus import Cpus, available_cpus
from loadtest.bench.stage import Stage
from streamapp.cli.console import Step
from tests.servers.backend import Servers


@pytest.fixture
def stage(servers: Servers, tmp_path: Path) -> Iterator[Stage]:
    """A stage of the benchmark on the servers of the lane, no process on a CPU of its own."""
    everywhere = tuple(sorted(available_cpus()))
    made = Stage(tmp_path, servers.broker.url, servers.redis_url, Cpus(everywhere, everywhere))
    yield made
    made.clear()


@pytest.fixture
def bench() -> Bench:
    """A benchmark that nobody watches."""

    def begin(_: str) -> Step:
        return lambda _done, _total: None

    return Bench(begin, timeout_s=200)
