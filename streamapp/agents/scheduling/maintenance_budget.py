"""How much of a worker's time its sweeps get."""

import time
from weakref import WeakSet

from streamapp.agents.scheduling.duty_cycle import DutyCycle

_QUIET_S = 0.1
"""Seconds without a record after which sweeps get all of a worker's time."""

_PROMPT_S = 0.05
"""Records that wait longer than this are late."""

_LATE_S = 0.5
"""Seconds for which sweeps hold back after a late record."""

_REST = 1
_LATE_REST = 15
"""Pause of a sweep as a multiple of its last step, while records come in and while they are late.

All sweeps together get half of the time, and a sixteenth of it.
"""


class MaintenanceBudget:
    """The time that a worker has for sweeps: all of it while no records come in, else a share.

    All sweeps of a worker share it, because each of them delays the records of every partition.
    """

    def __init__(self) -> None:
        self._applied_at = self._late_at = float("-inf")
        self._sweeps: WeakSet[DutyCycle] = WeakSet()

    def applied(self, read_at: float) -> None:
        """Take in that records are applied that were read at a monotonic time in seconds."""
        self._applied_at = time.monotonic()
        if self._applied_at > read_at + _PROMPT_S:
            self._late_at = self._applied_at

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
        busy = late or now < self._applied_at + _QUIET_S
        return sweep.due_in_s(busy=busy, times=(_LATE_REST if late else _REST) * len(self._sweeps))
