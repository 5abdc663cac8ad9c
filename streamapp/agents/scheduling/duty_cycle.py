"""How often a job runs that takes time away from other work."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager


class DutyCycle:
    """Limits a job to a share of the time, however long a run takes.

    Args:
        interval_s: Seconds between the end of a run and the next one.
        rest_ratio: The least pause after a run while other work waits, as a multiple of the run.
    """

    def __init__(self, interval_s: float, rest_ratio: float) -> None:
        self._interval_s = interval_s
        self._rest_ratio = rest_ratio
        self._ended_at = 0.0
        self._took_s = 0.0

    def due_in_s(self, *, busy: bool, times: float = 1, longest_s: float = math.inf) -> float:
        """Return the seconds until the job is due; 0 or less if it is.

        Args:
            busy: Whether other work waits.
            times: Factor of the pause while other work waits.
            longest_s: Most seconds of that pause.
        """
        pause_s = self._rest_ratio * times * self._took_s if busy else 0.0
        return self._ended_at + max(self._interval_s, min(pause_s, longest_s)) - time.monotonic()

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure how long one run takes."""
        began_at = time.monotonic()
        yield
        self._ended_at = time.monotonic()
        self._took_s = self._ended_at - began_at
