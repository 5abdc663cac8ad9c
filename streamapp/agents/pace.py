"""Agents. A pace: how often something is done that takes time away from what waits."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Pace:
    """Says when something is due again.

    Args:
        interval_s: Seconds between its end and the next time.
        rest: How many times as long as it took to leave it at least, while other work waits: so it
            gets a share of the time, however long it takes.
    """

    def __init__(self, interval_s: float, rest: float) -> None:
        self._interval_s = interval_s
        self._rest = rest
        self._ended_at = 0.0
        self._took_s = 0.0

    def due_in_s(self, *, busy: bool) -> float:
        """Return the seconds until it is due; 0 or less if it is.

        Args:
            busy: Whether other work waits.
        """
        wait_s = max(self._interval_s, self._rest * self._took_s if busy else 0.0)
        return self._ended_at + wait_s - time.monotonic()

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure how long it takes, once."""
        began_at = time.monotonic()
        yield
        self._ended_at = time.monotonic()
        self._took_s = self._ended_at - began_at
