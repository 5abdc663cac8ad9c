"""Load test. A program that reads as many frontends would: each client waits for its answer.

Every client has a connection of its own and sends the next command when the last one is answered.
It is a closed loop, so its rate is what the server gives; its latencies are those of that rate.
One process waits for all of them, for what it costs itself is taken from the server's CPUs.
"""

import selectors
import sys
import time
from array import array
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import hiredis
from redis import ConnectionPool

from loadtest.bench.distribution import Distribution
from loadtest.bench.program import heard, say
from streamapp.settings import load_settings

_AT_ONCE_BYTES = 65_536
_LOOK_S = 0.05


class Client:
    """One reader.

    Args:
        pool: Gives it a connection.
        choose: Says what it asks next, as the bytes to send.
    """

    def __init__(self, pool: ConnectionPool, choose: Callable[[], bytes]) -> None:
        self._connection = pool.get_connection()
        self.socket: Any = self._connection._sock  # noqa: SLF001 - it has shaken hands by then
        self._replies = hiredis.Reader()
        self._choose = choose
        self._began_s = 0.0
        self.took_s = array("d")
        self.misses = 0

    def ask(self) -> None:
        """Send the next command."""
        self._began_s = time.perf_counter()
        self.socket.sendall(self._choose())

    def hear(self) -> None:
        """Take what has come, and ask again when the answer is there."""
        self._replies.feed(self.socket.recv(_AT_ONCE_BYTES))
        reply = self._replies.gets()
        if reply is False:
            return
        if isinstance(reply, hiredis.ReplyError):
            raise reply
        self.took_s.append(time.perf_counter() - self._began_s)
        self.misses += reply is None
        self.ask()


def read(spec: dict[str, Any]) -> None:
    """Read for a time, or until standard input has something to say."""
    settings, chance = load_settings(), Random(spec["seed"])  # noqa: S311 - which key is next
    pool = ConnectionPool.from_url(settings.redis_url)
    choose = _chooser(spec["keys"], chance)
    clients = [Client(pool, choose) for _ in range(spec["clients"])]
    selector = selectors.DefaultSelector()
    for client in clients:
        selector.register(client.socket, selectors.EVENT_READ, client.hear)
    began_s = time.monotonic()
    end_s = began_s + (spec["duration_s"] or float("inf"))
    told: list[bool] = []
    if not spec["duration_s"]:
        selector.register(sys.stdin, selectors.EVENT_READ, lambda: told.append(True))
    for client in clients:
        client.ask()
    while not told and time.monotonic() < end_s:
        for key, _ in selector.select(_LOOK_S):
            key.data()
    elapsed_s = time.monotonic() - began_s
    found = Distribution(took_s for client in clients for took_s in client.took_s)
    say({
        "reads_per_s": found.count / elapsed_s,
        "misses": sum(client.misses for client in clients),
        **found.as_dict(),
    })  # fmt: skip


def _chooser(keys: Sequence[str], chance: Random) -> Callable[[], bytes]:
    """Return what chooses among `keys`, popular ones more often; among none, PING."""
    commands = [_packed("GET", key) for key in keys] or [_packed("PING")]
    # The square of an even chance favours the front, where popular items are.
    return lambda: commands[int(len(commands) * chance.random() ** 2)]


def _packed(*command: Any) -> bytes:
    packed: bytes = hiredis.pack_command(command)
    return packed


if __name__ == "__main__":
    read(heard())
