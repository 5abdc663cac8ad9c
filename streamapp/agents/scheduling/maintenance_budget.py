"""How much of a worker's time its sweeps get."""

import time
from weakref import WeakSet

from streamapp.agents.scheduling.duty_cycle import DutyCycle

_QUIET_S = 2.0
"""Seconds without a record or a due list after which sweeps get all of a worker's time."""

_PROMPT_S = 0.05
"""Records that wait longer than this are late."""

_PROMPT_LISTS = 100
"""Most lists of a batch that is published in time; the lists of a larger one are late."""

_LATE_S = 0.5
"""Seconds for which sweeps hold back after late records or lists."""

_LATE_REST = 15
"""Pause of a sweep as a multiple of its last step while work is late, at least.

All sweeps together get a sixteenth of the time.
"""


class MaintenanceBudget:
    """The time that a worker has for sweeps: all of it while nothing else is due, else a share.

    All sweeps of a worker share it, because each of them delays the records of every partition. A
    sweep also waits for lists of rows and histories that changed: it compares lists with them.

    Args:
        share: The share while other work comes in, over 0 and at most 1.
    """

    def __init__(self, share: float = 0.1) -> None:
        self._rest = 1 / share - 1
        self._worked_at = self._late_at = float("-inf")
        self._sweeps: WeakSet[DutyCycle] = WeakSet()

    @property
    def quiet_in_s(self) -> float:
        """The seconds until no record and no due list came for so long that the worker is idle."""
        return max(0.0, self._worked_at + _QUIET_S - time.monotonic())

    def applied(self, read_at: float) -> None:
        """Take in that records are applied that were read at a monotonic time in seconds."""
        self._worked_at = time.monotonic()
        if self._worked_at > read_at + _PROMPT_S:
            self._late_at = self._worked_at

    def published(self, lists: int) -> None:
        """Take in how many lists are published because their rows or histories changed."""
        if lists:
            self._worked_at = time.monotonic()
        if lists > _PROMPT_LISTS:
            self._late_at = self._worked_at

    def begin(self, sweep: DutyCycle) -> None:
        """Count a sweep that begins; it is forgotten with its duty cycle, or by `end`."""
        self._sweeps.add(sweep)

    def end(self, sweep: DutyCycle) -> None:
        """Count a sweep no longer."""
        self._sweeps.discard(sweep)

    def due_in_s(self, sweep: DutyCycle) -> float:
        """Return the seconds until the next step of a sweep that has begun; 0 or less for now."""
        now = time.monotonic()
        late = now < self._late_at + _LATE_S
        busy = late or self.quiet_in_s > 0
        rest = max(_LATE_REST, self._rest) if late else self._rest
        return sweep.due_in_s(busy=busy, times=rest * len(self._sweeps))
