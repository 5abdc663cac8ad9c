"""A worker that has stored everything ends, even if its threads wait."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys, threading
import faust
from streamapp.cli import worker

class Stuck:
    crash_reason = None
    def __init__(self, *_, **__): ...
    def execute_from_commandline(self):
        threading.Thread(target=threading.Event().wait).start()
        print("stored", flush=False)
        raise SystemExit({code})

faust.Worker = Stuck
worker.run_worker()
"""


@pytest.mark.parametrize("code", [0, 1])
def test_a_thread_that_waits_for_ever_does_not_keep_the_process(code: int) -> None:
    """The exit code is that of the worker, and its output is complete."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(code=code)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (code, "stored\n"), done.stderr


def test_a_worker_prints_no_control_character_of_an_id() -> None:
    """It could forge a line of the log, or control the terminal that shows it."""
    program = (
        "from streamapp.errors import StateError\n"
        "from streamapp.worker.process_end import end_process\n"
        "end_process(StateError('redis refuses a\\nb\\x1b[2J\\u2028c'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    line = "streamapp: redis refuses a\\x0ab\\x1b[2J\\u2028c\n"
    assert (done.returncode, done.stderr) == (1, line)
