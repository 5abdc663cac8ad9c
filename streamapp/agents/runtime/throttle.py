"""A pace: how often something is done that takes time away from what waits."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakSet

_QUIET_S = 0.1
"""Seconds without a record after which sweeps get all of a worker's time."""

_PROMPT_S = 0.05
_LATE_S = 0.5
"""Records that wait longer than the first are late, and sweeps hold back for the second."""

_REST = 1
_LATE_REST = 15
"""While records come in, all sweeps together get half of the time; a sixteenth while they are late.
"""


class DutyCycle:
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

    def due_in_s(self, *, busy: bool, times: int = 1) -> float:
        """Return the seconds until it is due; 0 or less if it is.

        Args:
            busy: Whether other work waits.
            times: How many times as much rest it takes then.
        """
        wait_s = max(self._interval_s, self._rest * times * self._took_s if busy else 0.0)
        return self._ended_at + wait_s - time.monotonic()

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure how long it takes, once."""
        began_at = time.monotonic()
        yield
        self._ended_at = time.monotonic()
        self._took_s = self._ended_at - began_at


class MaintenanceBudget:
    """The time that a worker has for sweeps: all of it while no records come in, else a share.

    All sweeps of a worker have the share together: each of them delays the records of every lane.
    """

    def __init__(self) -> None:
        self._applied_at = self._late_at = float("-inf")
        self._sweeps: WeakSet[DutyCycle] = WeakSet()

    def applied(self, read_at: float) -> None:
        """Note that records are applied that were read at a monotonic time in seconds."""
        self._applied_at = time.monotonic()
        if self._applied_at > read_at + _PROMPT_S:
            self._late_at = self._applied_at

    def begin(self, sweep: DutyCycle) -> None:
        """Note that a sweep begins, which goes at this pace."""
        self._sweeps.add(sweep)

    def end(self, sweep: DutyCycle) -> None:
        """Note that it has ended."""
        self._sweeps.discard(sweep)

    def due_in_s(self, sweep: DutyCycle) -> float:
        """Return the seconds until a sweep that has begun may go on; 0 or less if it may."""
        now = time.monotonic()
        late = now < self._late_at + _LATE_S
        busy = late or now < self._applied_at + _QUIET_S
        return sweep.due_in_s(busy=busy, times=(_LATE_REST if late else _REST) * len(self._sweeps))
