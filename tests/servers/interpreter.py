"""A process of the app with an interpreter of its own, for what a fork cannot inherit."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


class InterpreterProcess:
    """A running process of the app, as `AppProcess` is one.

    A library that is loaded before all others needs a new interpreter.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        folder: Path,
        env: Mapping[str, str],
        out: Path,
    ) -> None:
        """Start it.

        Args:
            module: `streamapp` or `loadtest`.
            arguments: Its command line.
            folder: Its working directory.
            env: Its environment.
            out: The file that its output and its errors are appended to.
        """
        with out.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=folder, env=dict(env), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return its exit code, None while it runs; negative for a signal."""
        return self._process.poll()

    def wait(self, within_s: float | None = None) -> int:
        """Return its exit code after it has ended.

        Raises:
            subprocess.TimeoutExpired: it runs on.
        """
        return self._process.wait(within_s)

    def terminate(self) -> None:
        """Ask it to end (SIGTERM)."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._process.kill()
