"""What every test may ask for: seeds, data, servers, a deployment and its workers."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.servers.backend import BackendError, Servers, running
from tests.servers.backend import lane as lane_named
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

_FREE_SEED = os.environ.get("STREAMAPP_TEST_FREE_SEED") == "1"
_LANE = os.environ.get("STREAMAPP_TEST_LANE", "embedded")
_DATA = os.environ.get("STREAMAPP_TEST_DATA", "")

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("free", deadline=None, print_blob=True)
settings.load_profile("free" if _FREE_SEED else "fixed")


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks of the tests that another lane repeats."""
    config.addinivalue_line("markers", "servers: uses the servers of the lane; set by itself")
    config.addinivalue_line("markers", "kafka: a story that Apache Kafka tells otherwise")
    config.addinivalue_line("markers", "alone: measures time, so nothing else may run beside it")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use servers of the lane, before `-m` chooses by marks."""
    for item in items:
        if {"servers", "own_servers"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("servers")


def pytest_report_header() -> list[str]:
    """Say what this run stands on."""
    seed = "free" if _FREE_SEED else "fixed (STREAMAPP_TEST_FREE_SEED=1 frees them)"
    return [f"lane: {_LANE}", f"examples: {seed}", f"real event logs: {_DATA or 'none'}"]


def pytest_sessionstart() -> None:
    """End the run where its lane cannot run; fetch what the lane needs before any test's clock."""
    try:
        lane_named(_LANE).check()
    except BackendError as error:
        pytest.exit(f"the lane {_LANE} cannot run here: {error}", returncode=2)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of the machine out of the tests."""
    for name in os.environ:
        if name.startswith("STREAMAPP_") and not name.startswith("STREAMAPP_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def lane() -> str:
    """The name of the lane."""
    return _LANE


@pytest.fixture(scope="session")
def event_logs() -> Path:
    """The folder of the real event logs; it lies beside the project, and not everywhere."""
    if not Path(_DATA).is_dir() or not _DATA:
        pytest.skip("needs the real event logs: STREAMAPP_TEST_DATA names no folder")
    return Path(_DATA)


@pytest.fixture(scope="session")
def servers(lane: str) -> Iterator[Servers]:
    """The servers that all tests share; nobody stops them."""
    with running(lane) as shared:
        yield shared


@pytest.fixture
def own_servers(lane: str) -> Iterator[Servers]:
    """Servers of this test alone, to be killed and started again; the Redis keeps its data."""
    with running(lane, keeps_data=True) as own:
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
    """Starts workers of the deployment, as `Deployment.worker` says; they end with the test."""
    return deployment.worker
