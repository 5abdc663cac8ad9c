"""Divides a share of a worker's time among jobs of one kind."""

from weakref import WeakSet

from streamapp.agents.scheduling.duty_cycle import DutyCycle

_LONGEST_S = 5.0
"""Most seconds between two runs of a job, however many there are."""


class SharedPauses:
    """The pauses of the jobs of one kind that a worker has.

    The more jobs there are, the longer is the pause of each while other work waits. So all of them
    together take the share of one.
    """

    def __init__(self) -> None:
        self._cycles: WeakSet[DutyCycle] = WeakSet()

    def add(self, cycle: DutyCycle) -> None:
        """Count a job; it is forgotten with its duty cycle."""
        self._cycles.add(cycle)

    def due_in_s(self, cycle: DutyCycle, *, busy: bool) -> float:
        """Return the seconds until the next run of a job; 0 or less if it is due.

        Args:
            cycle: Of the job.
            busy: Whether other work waits.
        """
        return cycle.due_in_s(busy=busy, times=len(self._cycles), longest_s=_LONGEST_S)
