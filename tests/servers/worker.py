"""A worker in its own process, so that it can die like one."""

from collections.abc import Mapping
from pathlib import Path

from tests.servers.deadline import wait_until
from tests.servers.interpreter import InterpreterProcess
from tests.servers.process import AppProcess

_READY = "Worker ready"
_READY_S = 60.0
_STOP_S = 30.0


class Worker:
    """`python -m streamapp worker`.

    Attributes:
        name: Name of its log.
        log: The file that all its starts write to.
    """

    def __init__(self, name: str, folder: Path, env: Mapping[str, str]) -> None:
        """Make it, without starting it.

        Args:
            name: Name of its log.
            folder: Its working directory, which also holds its log.
            env: Its environment.
        """
        self.name = name
        self.log = folder / f"{name}.log"
        self._folder = folder
        self._env = env
        self._process: AppProcess | InterpreterProcess | None = None
        self._read_from = 0

    @property
    def pid(self) -> int:
        """The process of the last start."""
        assert self._process is not None, "the worker was not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def ready(self) -> bool:
        """Whether it has been ready since the last start."""
        return _READY in self.output

    @property
    def output(self) -> str:
        """The output since the last start."""
        with self.log.open("rb") as log:
            log.seek(self._read_from)
            return log.read().decode(errors="replace")

    def launch(self) -> None:
        """Start its process."""
        with self.log.open("ab") as log:
            self._read_from = log.tell()
        command: tuple[str, tuple[str, ...], Path] = "streamapp", ("worker",), self._folder
        if "LD_PRELOAD" in self._env:
            self._process = InterpreterProcess(*command, self._env, self.log)
        else:
            self._process = AppProcess(*command, self._env, self.log, self.log)

    def start(self) -> None:
        """Start it, and return when it is ready.

        Raises:
            AssertionError: it ended, or took too long.
        """
        self.launch()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Return when it is ready.

        Raises:
            AssertionError: it ended, or took too long.
        """
        wait_until(
            lambda: self.ready or not self.running,
            _READY_S,
            lambda: f"{self.name} is ready; it said: {self.output}",
        )
        assert self.running, f"{self.name} ended instead of working; it said: {self.output}"

    def wait(self, within_s: float = _STOP_S) -> int:
        """Return its exit code after it has ended by itself."""
        assert self._process is not None, "the worker was not started"
        return self._process.wait(within_s)

    def terminate(self) -> int:
        """Ask it to end (SIGTERM), and return its exit code."""
        assert self._process is not None, "the worker was not started"
        self._process.terminate()
        return self.wait()

    def kill(self) -> None:
        """End it at once (SIGKILL), if it still runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
