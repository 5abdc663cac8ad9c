"""A server as a child process on a loopback port, which never outlives its parent.

Two mechanisms could tie the child to the parent. The parent-death signal of Linux follows the
*thread* that started the child, and has to be set between fork and exec. A pipe whose other end
only the parent holds works on every Unix, from any thread, and however the parent dies. So a shell,
the guard, waits beside the server for the end of that pipe.
"""

import contextlib
import shutil
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from secrets import token_hex
from tempfile import gettempdir
from typing import ClassVar, Self

from streamapp.errors import ConfigError, StreamappError

HOST = "127.0.0.1"

_GUARD = """\
folder=$1; shift
exec 3<&0 </dev/null
{ read -r _ <&3 || { kill -KILL $$; rm -rf -- "$folder"; }; } &
exec "$@" 3<&-
"""
"""The server replaces this shell and keeps its pid; a line on the pipe dismisses the guard."""

_ATTEMPTS = 5
_PROBE_INTERVAL_S = 0.01
_LAST_LINES = 12


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


class Server(ABC):
    """A server that can be started, stopped, killed, and started again on the same port.

    It works in a temporary folder of its own, which holds its log and its data. `close` removes the
    folder. The server gets an empty environment. As a context manager it runs for the body.

    Attributes:
        name: Its name in messages.
        option: The option of the command line that sets its port.
        start_s: Seconds within which it must answer.
        stop_s: Seconds within which it must stop when asked; then it is killed.
        keeps_data: Whether its data survives the end of its process.
        port: Its port; with 0 a free one is taken at the first start.
        folder: Its folder, made at the first start.
    """

    name: ClassVar[str]
    option: ClassVar[str]
    start_s: ClassVar[float] = 15.0
    stop_s: ClassVar[float] = 5.0
    keeps_data: bool = False

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.folder = Path(gettempdir(), f"streamapp-{self.name}-{token_hex(8)}")
        self._settled = port != 0
        self._log = self.folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """The value of the setting that names this server."""

    @abstractmethod
    def command(self) -> list[str]:
        """Write the files that the server reads at start; return the program with its arguments."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether this server answers; another program on the same port does not count.

        Raises:
            OSError: nothing answers.
        """

    @property
    def pid(self) -> int | None:
        """The process id; None while it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the server and return when it answers.

        If another program takes the free port first, the server tries another one.

        Raises:
            ConfigError: the chosen port is taken.
            StreamappError: the server ends, or does not answer in time.
        """
        for _ in range(1 if self._settled else _ATTEMPTS):
            if self._settled:
                self._check_port()
            else:
                self.port = free_port()
            self._launch()
            if self._came_up():
                self._settled = True
                return
            silent = self.pid is not None
            self.kill()
            if silent:
                break
        raise StreamappError(f"{self.name} does not start: {self.log_tail()}")

    def stop(self) -> None:
        """End the server with SIGTERM, and with SIGKILL if that takes too long."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self.stop_s)
        self.kill()

    def kill(self) -> None:
        """End the server with SIGKILL, as a crash would."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate(b"\n")
        self._process = None

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_tail(self) -> str:
        """Return the end of the server's log."""
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return "\n".join(lines[-_LAST_LINES:]) or "its log is empty"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_port(self) -> None:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((HOST, self.port))
            except OSError as error:
                raise ConfigError(
                    f"{self.option} {self.port}: {self.name} cannot listen on {HOST}:{self.port} "
                    f"({error.strerror}); stop what runs there, or choose another port"
                ) from None

    def _launch(self) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        command = ["/bin/sh", "-c", _GUARD, "guard", str(self.folder), *self.command()]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the command is the server's own
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={},
                start_new_session=True,  # Ctrl-C is for the parent, which stops servers in order
            )

    def _came_up(self) -> bool:
        deadline = time.monotonic() + self.start_s
        while self.pid is not None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if self.answers():
                    return True
            time.sleep(_PROBE_INTERVAL_S)
        return False
