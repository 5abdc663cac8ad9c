"""A program that reads like many frontends: each client waits for its answer.

Every client has a connection of its own. Without a rate it sends the next command after the
previous answer: a closed loop, whose rate is the server's limit. With a rate, commands are due at
absolute times, and their latency counts from then, even while all clients wait for answers. One
process waits for all of them, because its own cost is taken from the server's CPUs.
"""

import selectors
import sys
import time
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import hiredis
from redis import ConnectionPool

from loadtest.bench.distribution import Distribution
from loadtest.bench.program import heard, say
from streamapp.config.loader import load_settings

_AT_ONCE_BYTES = 65_536
_LOOK_S = 0.05


class Client:
    """One reader.

    Args:
        pool: Gives it a connection.
        choose: Returns its next command, as bytes.
        idle: The list that it joins when it has its answer.
    """

    def __init__(
        self, pool: ConnectionPool, choose: Callable[[], bytes], idle: "deque[Client]"
    ) -> None:
        self._connection = pool.get_connection()
        self.socket: Any = self._connection._sock  # noqa: SLF001 - the handshake is done
        self._replies = hiredis.Reader()
        self._choose = choose
        self._idle = idle
        self._due_s = 0.0
        self.took_s = array("d")
        self.misses = 0

    def ask(self, due_s: float) -> None:
        """Send the next command, which was due at that time."""
        self._due_s = due_s
        self.socket.sendall(self._choose())

    def hear(self) -> None:
        """Take received data."""
        self._replies.feed(self.socket.recv(_AT_ONCE_BYTES))
        reply = self._replies.gets()
        if reply is False:
            return
        if isinstance(reply, hiredis.ReplyError):
            raise reply
        self.took_s.append(time.perf_counter() - self._due_s)
        self.misses += reply.count(None) if isinstance(reply, list) else reply is None
        self._idle.append(self)


def read(spec: dict[str, Any]) -> None:
    """Read for a time, or until there is a line on standard input."""
    settings, chance = load_settings(), Random(spec["seed"])  # noqa: S311 - which key is next
    pool = ConnectionPool.from_url(settings.redis_url)
    choose = _chooser(spec["keys"], spec["keys_each"], chance)
    idle: deque[Client] = deque()
    clients = [Client(pool, choose, idle) for _ in range(spec["clients"])]
    idle.extend(clients)
    selector = selectors.DefaultSelector()
    for client in clients:
        selector.register(client.socket, selectors.EVENT_READ, client.hear)
    told: list[bool] = []
    if not spec["duration_s"]:
        selector.register(sys.stdin, selectors.EVENT_READ, lambda: told.append(True))
    interval_s = 1 / spec["rate"] if spec["rate"] else 0.0
    began_s = due_s = time.perf_counter()
    end_s = began_s + (spec["duration_s"] or float("inf"))
    while not told and (now_s := time.perf_counter()) < end_s:
        while idle and (not interval_s or due_s <= now_s):
            idle.popleft().ask(due_s if interval_s else time.perf_counter())
            due_s += interval_s
        wait_s = max(0.0, due_s - now_s) if interval_s and idle else _LOOK_S
        for key, _ in selector.select(min(wait_s, _LOOK_S)):
            key.data()
    elapsed_s = time.perf_counter() - began_s
    found = Distribution(took_s for client in clients for took_s in client.took_s)
    say({
        "reads_per_s": found.count * spec["keys_each"] / elapsed_s,
        "misses": sum(client.misses for client in clients),
        **found.as_dict(),
    })  # fmt: skip


def _chooser(keys: Sequence[str], each: int, chance: Random) -> Callable[[], bytes]:
    """Return a function that chooses `each` consecutive keys, or PING without keys.

    The first of them is a popular one more often.
    """
    commands = [
        _packed("MGET", *keys[at : at + each]) if each > 1 else _packed("GET", keys[at])
        for at in range(len(keys) - each + 1)
    ] or [_packed("PING")]
    # The square of an even chance favours the front, where popular items are.
    return lambda: commands[int(len(commands) * chance.random() ** 2)]


def _packed(*command: Any) -> bytes:
    packed: bytes = hiredis.pack_command(command)
    return packed


if __name__ == "__main__":
    read(heard())
