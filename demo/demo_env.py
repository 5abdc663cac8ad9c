"""The demo environment: a broker, a Redis and one worker, which end with this process.

The worker is `python -m streamapp worker`, the same as in production.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from streamapp.config.env_check import PREFIX
from streamapp.config.settings import Settings
from streamapp.embedded import Server, Tansu, Valkey
from streamapp.errors import StreamappError

CHOSEN = {"HISTORY_CAP": "1000", "DAMPING": "20", "MIN_SUPPORT": "5", "LIST_TOLERANCE": "0"}
"""The settings of the demo that change results; every digit of a score is shown."""

_QUICK_START = {"SESSION_TIMEOUT": "3"}
"""The embedded broker lets a group form for half of this before it assigns partitions."""

_READY = "Worker ready"
_READY_S = 60.0
_STOP_S = 5.0
_LOOK_INTERVAL_S = 0.02
_LAST_LINES = 15


class Worker:
    """A worker as a child process, with its log in a file."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "worker.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "streamapp", "worker"],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the demo, which stops all in order
            )

    @property
    def ready(self) -> bool:
        """Whether its log says that it is ready for events."""
        return _READY in self._log.read_text(errors="replace")

    @property
    def log_tail(self) -> str:
        """The end of its log."""
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LAST_LINES:])

    def check(self) -> None:
        """Raise StreamappError if it ended."""
        if (code := self._process.poll()) is not None:
            raise StreamappError(f"the worker ended by itself, exit code {code}")

    def stop(self) -> None:
        """End it with SIGTERM, and with SIGKILL if that takes too long."""
        try:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_S)
        finally:
            self._process.kill()
            self._process.wait()


class DemoEnv:
    """The environment of the demo.

    Attributes:
        folder: For files of the demo; removed with the environment.
        settings: Those of all its processes.
        worker: The worker, started and perhaps not ready.
    """

    def __init__(self, folder: Path, *servers: Server) -> None:
        """Start the worker.

        Args:
            folder: An empty one.
            servers: The broker and the Redis that the settings of this process name; running.
        """
        self.folder = folder
        self.settings = Settings(_env_file=None)
        self.worker = Worker(folder)
        self._servers = servers

    def check(self) -> None:
        """Raise StreamappError if a part has ended, because clients wait for a server patiently."""
        for server in self._servers:
            if server.pid is None:
                last_line = server.log_tail().splitlines()[-1]
                raise StreamappError(f"{server.name} ended by itself: {last_line}")
        self.worker.check()

    def wait_ready(self) -> None:
        """Return when the worker is ready for events.

        Raises:
            StreamappError: a part has ended, or it takes too long.
        """
        deadline = time.monotonic() + _READY_S
        while not self.worker.ready:
            self.check()
            if time.monotonic() > deadline:
                raise StreamappError(f"the worker is not ready after {_READY_S:g} s")
            time.sleep(_LOOK_INTERVAL_S)


@contextmanager
def open_demo_env() -> Iterator[DemoEnv]:
    """Yield a demo environment; its parts end with it, also when this process gets a signal.

    Raises:
        ConfigError: the extra `embedded` is not installed.
        StreamappError: a server does not start, or the body failed; the last lines of the worker
            are then on standard error.
    """
    # SIGINT too: a shell lets its background jobs ignore it.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    with (
        TemporaryDirectory(prefix="streamapp-demo-") as folder,
        Tansu() as broker,
        Valkey() as redis,
    ):
        _choose({**CHOSEN, **_QUICK_START, "BROKER_URL": broker.url, "REDIS_URL": redis.url})
        env = DemoEnv(Path(folder), broker, redis)
        try:
            yield env
        except StreamappError as error:
            sys.stderr.write(f"The last lines of the worker:\n{env.worker.log_tail}\n")
            raise StreamappError(str(error)) from None
        finally:
            env.worker.stop()


def _choose(settings: dict[str, str]) -> None:
    """Make `settings` those of this process and its children, in place of the machine's."""
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        del os.environ[name]
    os.environ.update({PREFIX + name: value for name, value in settings.items()})
