"""Processes of the app: `python -m MODULE ARGUMENTS`, forked if that makes no difference.

Importing the app and loading its kernels takes longer than most stories. A process of the standard
library's fork server has done both. Its children are processes like all others: they have their own
environment, folder, log and exit code, and die by signals.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.servers.loaded"])


def _become(
    module: str,
    arguments: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    out: Path,
    err: Path,
) -> None:
    """Do in a new process what an interpreter does for a module."""
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    for number, path, flags in (
        (0, Path(os.devnull), os.O_RDONLY),
        (1, out, os.O_WRONLY | os.O_APPEND | os.O_CREAT),
        (2, err, os.O_WRONLY | os.O_APPEND | os.O_CREAT),
    ):
        opened = os.open(path, flags)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


class AppProcess:
    """A running process of the app."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        folder: Path,
        env: Mapping[str, str],
        out: Path,
        err: Path,
    ) -> None:
        """Start it.

        Args:
            module: `streamapp` or `loadtest`.
            arguments: Its command line.
            folder: Its working directory.
            env: Its environment.
            out: The file that its output is appended to.
            err: The file that its errors are appended to.
        """
        given = (module, tuple(arguments), folder, dict(env), out, err)
        self._process: ForkServerProcess = _CONTEXT.Process(target=_become, args=given, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Return its exit code, None while it runs; negative for a signal."""
        return self._process.exitcode

    def wait(self, within_s: float | None = None) -> int:
        """Return its exit code after it has ended.

        Raises:
            subprocess.TimeoutExpired: it runs on.
        """
        self._process.join(within_s)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(self._process.name, within_s or 0.0)
        return code

    def terminate(self) -> None:
        """Ask it to end (SIGTERM)."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._process.kill()
