"""Runs Python in a tree, in a session of its own, of which nothing is left at the end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended.

    Attributes:
        code: Its exit code, negative for a signal, None if it took too long.
        output: What it printed.
    """

    code: int | None
    output: str


def run(tree: Path, arguments: Sequence[str], seconds: float = float("inf")) -> Ended:
    """Run Python on `arguments` in a tree, and kill it and what it started after `seconds`.

    It gets no setting of the machine, and imports from the tree before all else.
    """
    scratch = tree.parent / "tmp"
    scratch.mkdir(exist_ok=True)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")
    }
    environment |= {
        "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(scratch),
        "STREAMAPP_TEST_DATA": "",
    }  # fmt: skip
    with TemporaryFile("w+", errors="replace") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=tree, env=environment, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            in_time = _ends(process.pid, time.monotonic() + seconds)
        finally:
            # The process is not reaped yet, so its number still names its own session.
            os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        output.seek(0)
        return Ended(code if in_time else None, output.read())


def _ends(pid: int, deadline: float) -> bool:
    """Return whether a process ends before the deadline; leave it to be reaped."""
    while not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True
