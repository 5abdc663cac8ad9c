"""Limits how many bytes are on their way at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class ByteBudget:
    """A number of bytes that several tasks share, in the order in which they ask.

    Args:
        most: Most bytes at a time; a larger part waits until it is alone.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._used = 0
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def reserved(self, size: int) -> AsyncIterator[None]:
        """Wait until there is space for `size` bytes, and hold it."""
        async with self._turn:
            while self._used and self._used + size > self._most:
                self._freed.clear()
                await self._freed.wait()
            self._used += size
        try:
            yield
        finally:
            self._used -= size
            self._freed.set()
