"""Processes: the worker under test, and programs that load, read and compete."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import orjson
import psutil

from loadtest.bench.cpus import kept_to
from streamapp.errors import StreamappError

PROJECT = Path(__file__).parents[2]
_STOP_S = 20.0
_LAST_LINES = 15


class Process:
    """`python -m MODULE`, in a folder, with its log in a file there.

    Attributes:
        name: Name for people.
    """

    def __init__(
        self,
        name: str,
        arguments: list[str],
        folder: Path,
        env: Mapping[str, str],
        cpus: tuple[int, ...],
    ) -> None:
        """Start it.

        Args:
            name: Name for people, and of its log.
            arguments: The module and its arguments.
            folder: Its working directory.
            env: Its environment.
            cpus: Its CPUs.
        """
        self.name = name
        self._log = folder / f"{name}.log"
        with kept_to(cpus), self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a module of this project
                [sys.executable, "-m", *arguments],
                cwd=folder,
                env={**env, "PYTHONPATH": str(PROJECT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if arguments[0] != "streamapp" else log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the benchmark, which stops all in order
            )
        self._seen = psutil.Process(self._process.pid)

    @property
    def output(self) -> str:
        """The text of its log."""
        return self._log.read_text(errors="replace")

    def check(self) -> None:
        """Raise StreamappError if it has ended."""
        if (code := self._process.poll()) is not None:
            raise StreamappError(f"{self.name} ended, exit code {code}: {self._log_tail()}")

    def cpu_s(self) -> float:
        """Return the CPU seconds it has used."""
        times = self._seen.cpu_times()
        return float(times.user + times.system)

    def rss_bytes(self) -> int:
        """Return the memory it holds."""
        return int(self._seen.memory_info().rss)

    def fds(self) -> int:
        """Return how many file descriptors it has open."""
        return int(self._seen.num_fds())

    def threads(self) -> int:
        """Return how many threads it has."""
        return int(self._seen.num_threads())

    def say(self, value: Any) -> None:
        """Send it one line of JSON on standard input."""
        stdin = self._process.stdin
        if stdin is None:
            raise RuntimeError("the process has no standard input")
        stdin.write(orjson.dumps(value) + b"\n")
        stdin.flush()

    def hear(self, timeout_s: float) -> Any:
        """Wait for the next JSON object that it prints on a line, and return it.

        Other lines are passed over: frameworks greet on standard output.

        Raises:
            StreamappError: it ended without one, or it takes longer.
        """
        stdout = self._process.stdout
        if stdout is None:
            raise RuntimeError("the process has no standard output")
        watchdog = Timer(timeout_s, self._process.kill)
        watchdog.start()
        try:
            for line in stdout:
                if line.startswith(b"{"):
                    return orjson.loads(line)
        finally:
            watchdog.cancel()
        code = self._process.wait()
        raise StreamappError(f"{self.name} ended, exit code {code}: {self._log_tail()}")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let it do nothing meanwhile."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """End it with SIGTERM, and with SIGKILL if that takes too long; return its exit code."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._close()
        return self._process.wait()

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _log_tail(self) -> str:
        return " | ".join(self.output.splitlines()[-_LAST_LINES:]) or "it said nothing"
