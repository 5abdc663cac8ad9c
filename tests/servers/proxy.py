"""A loopback port in front of a server, which fails on demand as a network does.

It knows no protocol. A reply is the data that comes back on a connection after a request that holds
a text. That is right for clients that wait for a reply before the next request on the same
connection.
"""

import asyncio
import re
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Self

from streamapp.embedded.server import HOST

_CHUNK_BYTES = 65_536


@dataclass(eq=False)
class _Connection:
    """A client and the server, as one connection of each sees them."""

    client: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    server: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    loses_reply: bool = False
    seen: bytes = b""

    def cut(self) -> None:
        """End both sides at once."""
        for _, writer in (self.client, self.server):
            writer.transport.abort()


@dataclass
class _Loss:
    """Replies to lose: how many are left, to which requests, and whether the connection ends."""

    left: int = 0
    to: bytes | re.Pattern[bytes] = b""
    hangs: bool = False


@dataclass
class Proxy:
    """Forwards a loopback port to another one.

    It runs in a thread of its own, from `start` to `close`. Every fault stays until `heal`, except
    those with a count.

    Attributes:
        target_port: Where the server listens; it may change while the proxy runs.
        port: Where the proxy listens, from `start` on.
        lost: Replies that were lost so far.
        accepted: Connections that were taken so far.
    """

    target_port: int
    port: int = 0
    lost: int = 0
    accepted: int = 0
    _delay_s: float = 0.0
    _budget_bytes: int | None = None
    _loss: _Loss = field(default_factory=_Loss)
    _connections: set[_Connection] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _flows: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def redis_url(self) -> str:
        """The value of `STREAMAPP_REDIS_URL` where the server is a Redis."""
        return f"redis://{HOST}:{self.port}/0"

    def start(self) -> None:
        """Listen on a free port."""
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self._listen())

    def close(self) -> None:
        """End all connections, and the thread."""
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def slow(self, delay_s: float) -> None:
        """Hold back all data for this long, in each direction."""
        self._delay_s = delay_s

    def hang(self) -> None:
        """Let nothing pass; connections stay, and new ones are taken."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def cut(self, after_bytes: int = 0) -> None:
        """Cut all connections, once, when this many more bytes have passed in either direction."""
        if after_bytes:
            self._budget_bytes = after_bytes
        else:
            self._loop.call_soon_threadsafe(self._cut)

    def lose_replies(
        self, count: int = 1, to: bytes | re.Pattern[bytes] = b"", *, hangs: bool = False
    ) -> None:
        """Let requests reach the server, and lose its replies.

        Args:
            count: How many replies to lose.
            to: Text of the requests whose replies are lost, or a pattern that is found in one
                chunk; any request without it.
            hangs: Whether the client waits in vain, instead of losing the connection.
        """
        self._loss = _Loss(count, to, hangs)

    def heal(self) -> None:
        """End every fault; data that was held back passes."""
        self._delay_s, self._budget_bytes, self._loss = 0.0, None, _Loss()
        self._loop.call_soon_threadsafe(self._flows.set)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _do(self, task: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(task, self._loop).result()

    async def _listen(self) -> None:
        self._flows.set()
        self._server = await asyncio.start_server(self._accept, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        self.heal()
        self._cut()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    def _cut(self) -> None:
        for connection in self._connections:
            connection.cut()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server = await asyncio.open_connection(HOST, self.target_port)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection((reader, writer), server)
        self._connections.add(connection)
        self.accepted += 1
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(connection, connection.client, connection.server))
                both.create_task(self._pump(connection, connection.server, connection.client))
        except* OSError:
            """One side ended, and so did the other."""
        finally:
            connection.cut()
            self._connections.discard(connection)

    async def _pump(
        self,
        connection: _Connection,
        source: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        target: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """Pass on the data of the source.

        Raises:
            OSError: the source ended, or was ended.
        """
        while chunk := await source[0].read(_CHUNK_BYTES):
            await self._flows.wait()
            await asyncio.sleep(self._delay_s)
            if source is connection.client:
                self._notice_request(connection, chunk)
            elif connection.loses_reply:
                self.lost += 1
                if self._loss.hangs:
                    await asyncio.Future()
                break
            target[1].write(chunk[: self._budget_bytes])
            if self._spend(len(chunk)):
                self._cut()
            await target[1].drain()
        raise ConnectionAbortedError

    def _notice_request(self, connection: _Connection, chunk: bytes) -> None:
        """Find out whether the next reply is to be lost; the text may span two chunks."""
        to = self._loss.to
        if isinstance(to, bytes):
            seen = connection.seen + chunk
            connection.seen = seen[len(seen) - len(to) + 1 :]
            meant = to in seen
        else:
            meant = to.search(chunk) is not None
        if self._loss.left and meant and not connection.loses_reply:
            self._loss.left -= 1
            connection.loses_reply = True

    def _spend(self, size_bytes: int) -> bool:
        """Count bytes; return whether all connections are to be cut now."""
        if self._budget_bytes is None:
            return False
        self._budget_bytes = max(0, self._budget_bytes - size_bytes) or None
        return self._budget_bytes is None
