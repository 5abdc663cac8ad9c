"""Fixtures for all tests: seeds, data, servers, a deployment and its workers."""

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.servers.backend import BackendError, Servers, backend_named, running
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

_FREE_SEED = os.environ.get("STREAMAPP_TEST_FREE_SEED") == "1"
_BACKEND = os.environ.get("STREAMAPP_TEST_LANE", "embedded")
_DATA = os.environ.get("STREAMAPP_TEST_DATA", "")

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("free", deadline=None, print_blob=True)
settings.load_profile("free" if _FREE_SEED else "fixed")


MARKERS = {
    "servers": "uses the servers of the backend; set by itself, and such tests begin first",
    "kafka": "Apache Kafka or a real Redis tells it otherwise: `.ci/run` runs it on them, too",
    "ci(reason)": "one story of a group: `make test` leaves it to `.ci/run`",
    "full": "a repeat, a long log or a rare place: only `make test-full` runs it here",
    "alone": "measures time, so nothing else may run beside it",
}
"""The command that runs a test; `make test` runs those without another command."""

WHERE = pytest.StashKey[dict[str, str]]()
"""By file and name of a test, the shortest command that runs it, or some of its cases."""

_COMMANDS = ("make test", ".ci/run", ".ci/run on Kafka", "make test-full")


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks."""
    for name, sentence in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {sentence}")


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, None, None]:
    """Mark the tests that use servers of the backend, before `-m` chooses; let them begin first.

    They mostly wait, so the other tests have the processor to themselves in the end.
    """
    where: dict[str, str] = {}
    for item in items:
        if {"servers", "own_servers"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("servers")
        test = item.nodeid.partition("[")[0]
        where[test] = min(_command(item), where.get(test, _COMMANDS[-1]), key=_COMMANDS.index)
    config.stash[WHERE] = where
    yield
    items.sort(key=lambda item: item.get_closest_marker("servers") is None)


def _command(item: pytest.Item) -> str:
    """Return the shortest command that runs a test."""
    if item.get_closest_marker("full"):
        return _COMMANDS[2 if item.get_closest_marker("kafka") else 3]
    return _COMMANDS[1 if item.get_closest_marker("ci") else 0]


def pytest_report_header() -> list[str]:
    """Report the backend, the examples and the data of this run."""
    seed = "free" if _FREE_SEED else "fixed (STREAMAPP_TEST_FREE_SEED=1 frees them)"
    return [f"backend: {_BACKEND}", f"examples: {seed}", f"real event logs: {_DATA or 'none'}"]


def pytest_sessionstart() -> None:
    """End the run if its backend cannot run; fetch its files before any test's clock starts."""
    try:
        backend_named(_BACKEND).check()
    except BackendError as error:
        pytest.exit(f"the backend {_BACKEND} cannot run here: {error}", returncode=2)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of the machine out of the tests."""
    for name in os.environ:
        if name.startswith("STREAMAPP_") and not name.startswith("STREAMAPP_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def backend() -> str:
    """The name of the backend."""
    return _BACKEND


@pytest.fixture(scope="session")
def event_logs() -> Path:
    """The folder of the real event logs; it lies beside the project, and may be missing."""
    if not Path(_DATA).is_dir() or not _DATA:
        pytest.skip("needs the real event logs: STREAMAPP_TEST_DATA names no folder")
    return Path(_DATA)


@pytest.fixture(scope="session")
def servers(backend: str) -> Iterator[Servers]:
    """The servers that all tests share; no test stops them."""
    with running(backend) as shared:
        yield shared


@pytest.fixture
def own_servers(backend: str) -> Iterator[Servers]:
    """Servers of this test alone, to be killed and started again; the Redis keeps its data."""
    with running(backend, keeps_data=True) as own:
        yield own


@pytest.fixture
def deployment(servers: Servers, tmp_path: Path) -> Iterator[Deployment]:
    """A namespace of this test on the shared servers."""
    mine = Deployment(servers, tmp_path)
    yield mine
    mine.remove()


@pytest.fixture
def own_deployment(own_servers: Servers, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment whose servers may be killed and started again."""
    mine = Deployment(own_servers, tmp_path)
    yield mine
    mine.end()


@pytest.fixture
def worker(deployment: Deployment) -> Callable[..., Worker]:
    """Starts workers of the deployment, as `Deployment.worker` does; they end with the test."""
    return deployment.worker
