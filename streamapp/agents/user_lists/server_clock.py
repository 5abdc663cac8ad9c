"""The clock of Redis, which removes lists, as far as a worker knows it."""

import time
from collections.abc import Awaitable, Callable

_SYNC_S = 1.0
"""Seconds for which a reading holds. A machine that was suspended finds its clock behind then."""


class ServerClock:
    """Tells the time of Redis, whatever the clock of the worker says.

    Lists expire by the clock of Redis. A worker whose clock is days behind would set times that are
    over already, and one whose clock is ahead would remove lists of users who were just seen.

    Args:
        read: Returns the Unix time of Redis in seconds.
    """

    def __init__(self, read: Callable[[], Awaitable[float]]) -> None:
        self._read = read
        self._ahead_s = 0.0
        self._valid_until = 0.0

    @property
    def now(self) -> float:
        """The Unix time in seconds, as of the last reading."""
        return time.monotonic() + self._ahead_s

    async def sync(self) -> float:
        """Read the clock if the last reading is old; return the time."""
        if time.monotonic() >= self._valid_until:
            found = await self._read()
            now = time.monotonic()
            self._ahead_s, self._valid_until = found - now, now + _SYNC_S
        return self.now
