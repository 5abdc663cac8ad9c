"""The demo, run as `make demo` runs it, on a machine that cannot get the films."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.servers.deadline import wait_until
from tests.servers.deployment import PROJECT

StartDemo = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[StartDemo]:
    """Starts the demo with an empty cache and a pip that finds nothing."""
    started: list[subprocess.Popen[str]] = []
    pip = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null", "PIP_FIND_LINKS": ""}
    temporary = tmp_path / "tmp"
    temporary.mkdir()

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "demo", "--cache", str(tmp_path / "cache")],
            cwd=PROJECT,
            # A setting of the machine must not reach the demo.
            env=os.environ | pip | {"TMPDIR": str(temporary), "STREAMAPP_TOP_N": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
    assert not any(temporary.iterdir()), "the demo left files behind"


def worker_of(process: subprocess.Popen[str]) -> psutil.Process:
    """Return the worker of a demo, as soon as it has one."""

    def found() -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(process.pid).children()
            return [child for child in children if child.cmdline()[-2:] == ["streamapp", "worker"]]
        return []

    return wait_until(found, 30, "the demo has a worker")[0]


def test_the_demo_falls_back_to_a_made_up_shop_and_finds_no_difference(demo: StartDemo) -> None:
    """The whole story in plain text, and the reason why there are no films."""
    out, err = demo().communicate(timeout=120)
    assert err == ""
    lines = out.splitlines()
    (instead,) = [line for line in lines if line.startswith("MovieLens cannot be had (pip: ")]
    assert "A made-up shop" in lines[lines.index(instead) + 1]
    assert "redis> GET recs:v1:item:bread-flour" in lines
    assert any(line.endswith(": 0 differences") for line in lines)
    assert lines[-1].startswith("Done in ")
    assert "\x1b" not in out
    assert all(ord(letter) < 128 for letter in out)


@pytest.mark.full
def test_a_worker_that_dies_ends_the_demo_with_its_last_words(demo: StartDemo) -> None:
    """One readable line, exit code 1, and nothing runs on."""
    process = demo()
    worker = worker_of(process)
    others = psutil.Process(process.pid).children(recursive=True)

    worker.kill()
    _, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert err.startswith("The last lines of the worker:\n")
    assert err.endswith("demo: the worker ended by itself, exit code -9\n")
    wait_until(lambda: not any(other.is_running() for other in others), 10, "all parts ended")


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, marks=pytest.mark.ci(reason="the demo leaves nothing behind")),
        pytest.param(signal.SIGTERM, marks=pytest.mark.full),
    ],
)
def test_ctrl_c_stops_all_that_was_started(demo: StartDemo, number: signal.Signals) -> None:
    """Without a traceback; the same for SIGTERM, which is how `make` passes it on."""
    process = demo()
    worker_of(process)
    parts = psutil.Process(process.pid).children(recursive=True)

    process.send_signal(number)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert err == ""
    wait_until(lambda: not any(part.is_running() for part in parts), 10, "all parts ended")
