"""A read that all callers share who wait for it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedRead(Generic[T]):
    """Lets callers share a read that begins after each of them has asked.

    A caller never gets a value that was read before it asked. One read is under way at a time, and
    one waits for callers; so their number does not grow with the number of callers.

    Args:
        read: Reads the value.
        gather_s: Seconds that a read waits for more callers. Timers that end together wake their
            tasks one by one.
    """

    def __init__(self, read: Callable[[], Awaitable[T]], gather_s: float) -> None:
        self._read = read
        self._gather_s = gather_s
        self._reading = asyncio.Lock()
        self._next: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """Return the value, or raise the error of the read; all callers get the same object.

        The read goes on if a caller is cancelled.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._run())
            # Nobody asks how it ended if all callers are cancelled.
            self._next.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._next)

    async def _run(self) -> T:
        await asyncio.sleep(self._gather_s)
        async with self._reading:
            # A caller that asks from here on needs a later read.
            self._next = None
            return await self._read()
