"""Failpoints: off unless set, and each of them is somewhere in the code."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streamapp.config.settings import Settings
from streamapp.failpoints import NAMES, Failpoints
from streamapp.worker.composition import create_app

PACKAGE = Path(__file__).parents[3] / "streamapp"


def test_without_the_setting_nothing_dies() -> None:
    """A worker in production has no failpoint."""
    assert Settings.model_fields["failpoint"].default == ""
    failpoints = Failpoints(Settings().failpoint)
    for name in NAMES:
        failpoints.reach(name)


def test_a_failpoint_does_nothing_in_a_worker_without_the_second_setting() -> None:
    """A variable that a test left behind kills no worker."""
    place = {"failpoint": "intake.cut-sent:1:raise"}
    create_app(Settings(_env_file=None, **place)).context.failpoints.reach("intake.cut-sent")  # type: ignore[arg-type]
    enabled = create_app(Settings(_env_file=None, **place, failpoints_enabled=True))  # type: ignore[arg-type]
    with pytest.raises(RuntimeError):
        enabled.context.failpoints.reach("intake.cut-sent")


@pytest.mark.parametrize("name", NAMES)
def test_every_failpoint_is_reached_somewhere(name: str) -> None:
    """A name that no code reaches would make its test pass for nothing."""
    sources = [path.read_text() for path in PACKAGE.rglob("*.py") if path.stem != "failpoints"]
    assert sum(f'"{name}")' in source for source in sources) == 1


def test_the_process_dies_at_the_nth_time() -> None:
    """Twice is survived, the third time is not."""
    program = (
        "from streamapp.failpoints import Failpoints\n"
        "points = Failpoints('intake.cut-sent:3')\n"
        "for number in range(5):\n"
        "    print(number, flush=True)\n"
        "    points.reach('intake.position-moved')\n"
        "    points.reach('intake.cut-sent')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == b"0\n1\n2\n"


def test_a_place_may_raise_or_sleep_instead() -> None:
    """The caller sees a planted exception; a sleep ends with SIGCONT."""
    with pytest.raises(RuntimeError, match=r"intake\.cut-sent"):
        Failpoints("intake.cut-sent:1:raise").reach("intake.cut-sent")
    program = (
        "from streamapp.failpoints import Failpoints\n"
        "Failpoints('intake.cut-sent:1:stop').reach('intake.cut-sent')\n"
        "print('awake')\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(signal.SIGCONT)
        assert process.communicate(timeout=20)[0] == b"awake\n"
