"""BackgroundTask: what goes on beside a lane, one thing at a time; the lane asks how it ended."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any

AWAKE_S = 0.005
"""A lane looks so often after what goes on beside it."""


class BackgroundTask:
    """At most one task of a stage that what comes in need not wait for."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    @property
    def under_way(self) -> bool:
        """Whether it goes on."""
        return self._task is not None and not self._task.done()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin something; nothing is under way."""
        self._task = asyncio.create_task(work)
        # Whoever gives partitions up does not ask how it ended.
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())

    def ended(self) -> bool:
        """Say whether it has ended since this was last asked; raise what it raised."""
        if self._task is None or not self._task.done():
            return False
        task, self._task = self._task, None
        task.result()
        return True

    async def settle(self) -> None:
        """Return when it has ended; raise what it raised."""
        if self._task is not None:
            await asyncio.wait([self._task])
            self.ended()

    async def close(self) -> None:
        """End it at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None


async def gather_all(*works: Awaitable[Any]) -> None:
    """Do several things at once; return, or raise the first error, when all of them have ended.

    So nothing goes on behind an error, into what is then opened anew.
    """
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
