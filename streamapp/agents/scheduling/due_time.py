"""When a job is due: its owner asks, nothing is called."""

import math
import time

NEVER = math.inf
"""The seconds until a job runs that has nothing to do."""


class DueTime:
    """A moment on the monotonic clock at which a job is due.

    Args:
        delay_s: Seconds from now until the job is due for the first time.
    """

    def __init__(self, delay_s: float = 0.0) -> None:
        self.restart(delay_s)

    @property
    def is_due(self) -> bool:
        """Whether the job should run now."""
        return time.monotonic() >= self._due_at

    @property
    def due_in_s(self) -> float:
        """The seconds until the job is due; 0 if it is due."""
        return max(0.0, self._due_at - time.monotonic())

    def restart(self, delay_s: float) -> None:
        """Let the job be due after `delay_s` seconds; `NEVER` stops it."""
        self._due_at = time.monotonic() + delay_s
