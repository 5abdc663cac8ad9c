"""CPUs: measured processes have their own; servers and load share the rest.

A child inherits the CPUs of the thread that starts it, with all its threads. So this process stays
on the rest, and moves for the moment in which it starts a measured process.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil

_CAN_PIN = hasattr(os, "sched_setaffinity")


@dataclass(frozen=True, slots=True)
class Cpus:
    """The division of CPUs.

    Attributes:
        measured: CPUs of the measured processes, one for each if there are enough.
        rest: CPUs of the servers and the load.
    """

    measured: tuple[int, ...]
    rest: tuple[int, ...]

    @property
    def apart(self) -> bool:
        """Whether measured processes have CPUs of their own."""
        return not set(self.measured) & set(self.rest)

    def of(self, place: int) -> tuple[int, ...]:
        """Return the CPUs of the measured process number `place`."""
        return (self.measured[place % len(self.measured)],) if self.apart else self.measured


def divide(available: set[int], wanted: int) -> Cpus:
    """Return a division of `available` with `wanted` CPUs for measured processes.

    With fewer than `wanted` and one more, no CPUs are kept apart.
    """
    numbers = tuple(sorted(available))
    if len(numbers) <= wanted:
        return Cpus(numbers, numbers)
    return Cpus(numbers[-wanted:], numbers[:-wanted])


def available_cpus() -> set[int]:
    """Return the CPUs that this process may use."""
    return os.sched_getaffinity(0) if _CAN_PIN else set(range(os.cpu_count() or 1))


@contextmanager
def kept_to(cpus: tuple[int, ...]) -> Iterator[None]:
    """Keep this thread, and the processes it starts meanwhile, on `cpus`, if the system can."""
    if not _CAN_PIN:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Use:
    """The load of CPUs from now on, by any process."""

    def __init__(self, cpus: Cpus) -> None:
        self._cpus = cpus
        self._before = psutil.cpu_times(percpu=True)

    def shares(self) -> dict[str, float]:
        """Return the share of the time that the CPUs of each side were not idle, 0 to 1."""
        now = psutil.cpu_times(percpu=True)
        sides = {"measured": self._cpus.measured, "rest": self._cpus.rest}
        return {
            name: _busy([self._before[one] for one in side], [now[one] for one in side])
            for name, side in sides.items()
        }


def _busy(before: list[Any], now: list[Any]) -> float:
    idle_s = sum(map(_idle_s, now)) - sum(map(_idle_s, before))
    passed_s = sum(map(sum, now)) - sum(map(sum, before))
    # Times are sums of small numbers, so rounding may take a share out of its bounds.
    return min(1.0, max(0.0, 1.0 - idle_s / passed_s)) if passed_s > 0 else 0.0


def _idle_s(times: Any) -> float:
    return float(times.idle + getattr(times, "iowait", 0.0))
