"""The jobs of a kind share the time of one."""

import pytest

from streamapp.agents.scheduling import duty_cycle
from streamapp.agents.scheduling.duty_cycle import DutyCycle
from streamapp.agents.scheduling.shared_pauses import SharedPauses


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock of the duty cycles."""
    made = Clock()
    monkeypatch.setattr(duty_cycle, "time", made)
    return made


def run(cycle: DutyCycle, clock: Clock, seconds: float) -> None:
    """Let a job run for so long."""
    with cycle.measured():
        clock.now += seconds


def test_each_pause_is_as_long_as_those_of_all_jobs_together(clock: Clock) -> None:
    """Three jobs of a tenth of the time would take three tenths."""
    pauses, cycles = SharedPauses(), [DutyCycle(0.5, 10) for _ in range(3)]
    for cycle in cycles:
        pauses.add(cycle)
    run(cycles[0], clock, 0.1)
    assert pauses.due_in_s(cycles[0], busy=True) == pytest.approx(3.0)


def test_a_job_that_has_ended_counts_no_longer(clock: Clock) -> None:
    """Its partition belongs to another worker."""
    pauses, cycles = SharedPauses(), [DutyCycle(0.5, 10) for _ in range(3)]
    for cycle in cycles:
        pauses.add(cycle)
    del cycle, cycles[1:]
    run(cycles[0], clock, 0.1)
    assert pauses.due_in_s(cycles[0], busy=True) == pytest.approx(1.0)


def test_no_pause_is_longer_than_five_seconds(clock: Clock) -> None:
    """However many jobs there are."""
    pauses, cycles = SharedPauses(), [DutyCycle(0.5, 10) for _ in range(100)]
    for cycle in cycles:
        pauses.add(cycle)
    run(cycles[0], clock, 0.1)
    assert pauses.due_in_s(cycles[0], busy=True) == pytest.approx(5.0)


def test_an_idle_worker_keeps_to_the_interval(clock: Clock) -> None:
    """No other work waits for the job."""
    pauses, cycle = SharedPauses(), DutyCycle(0.5, 10)
    pauses.add(cycle)
    run(cycle, clock, 0.1)
    assert pauses.due_in_s(cycle, busy=False) == pytest.approx(0.5)
