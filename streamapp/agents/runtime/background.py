"""Work that goes on in the background while a stage handles record batches."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")

POLL_S = 0.005
"""Seconds after which a stage asks again whether its background task is done."""


class BackgroundTask(Generic[T]):
    """At most one coroutine of a stage that runs in the background.

    A coroutine that fails is done. Its error is raised by every `join` until `cancel` drops it, so
    an error cannot get lost.

    Attributes:
        on_end: Called when the coroutine has ended.
    """

    def __init__(self) -> None:
        self.on_end: Callable[[], None] | None = None
        self._task: asyncio.Task[T] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the coroutine has not ended yet, so that `join` would wait."""
        return self._task is not None and not self._task.done()

    @property
    def is_done(self) -> bool:
        """Whether the coroutine has ended, and `join` has not returned its result yet."""
        return self._task is not None and self._task.done()

    def start(self, work: Coroutine[Any, Any, T]) -> None:
        """Start a coroutine; the result of the previous one has been joined."""
        self._task = asyncio.create_task(work)
        self._task.add_done_callback(self._end)

    async def join(self) -> T | None:
        """Wait for the coroutine and return its result; None if nothing was started.

        The coroutine goes on if the caller is cancelled.
        """
        task = self._task
        if task is None:
            return None
        if not task.done():
            await asyncio.wait([task])
        result = task.result()
        self._task = None
        return result

    async def cancel(self) -> None:
        """Stop the coroutine, and drop its result or error."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    def _end(self, task: asyncio.Task[T]) -> None:
        # A worker that gives partitions up does not ask how the task ended.
        if not task.cancelled():
            task.exception()
        if self.on_end is not None:
            self.on_end()


async def gather_all(*works: Awaitable[Any]) -> None:
    """Await several things at once; return, or raise the first error, when all of them have ended.

    So nothing is still running when a caller handles an error by reading its state again.
    """
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
