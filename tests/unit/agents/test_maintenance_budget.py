"""How much of a worker's time sweeps get, while records come in and while they do not."""

from types import SimpleNamespace

import pytest

from streamapp.agents.scheduling import duty_cycle, maintenance_budget
from streamapp.agents.scheduling.duty_cycle import DutyCycle
from streamapp.agents.scheduling.maintenance_budget import MaintenanceBudget


class Clock:
    """A clock that is turned by hand, in place of the module `time`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1_000.0
        for module in (duty_cycle, maintenance_budget):
            monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now_s))

    def take(self, sweep: DutyCycle, seconds: float) -> None:
        """Let one step of a sweep take so long."""
        with sweep.measured():
            self.now_s += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return a clock that does not move."""
    return Clock(monkeypatch)


def begun(budget: MaintenanceBudget, count: int) -> list[DutyCycle]:
    """Return the duty cycles of sweeps that have begun."""
    sweeps = [DutyCycle(0.0, 1) for _ in range(count)]
    for sweep in sweeps:
        budget.begin(sweep)
    return sweeps


def test_a_sweep_goes_on_at_once_where_no_records_come_in(clock: Clock) -> None:
    """Those of two seconds ago are no reason to wait."""
    budget = MaintenanceBudget()
    (sweep,) = begun(budget, 1)
    budget.applied(read_at=clock.now_s)
    clock.take(sweep, 1.9)
    assert budget.due_in_s(sweep) > 17
    clock.now_s += 0.11
    assert budget.due_in_s(sweep) <= 0


def test_all_sweeps_together_get_their_share_of_the_time_while_records_come_in(
    clock: Clock,
) -> None:
    """Here a half: each rests as long as its step took, times the number of sweeps under way."""
    budget = MaintenanceBudget(0.5)
    first, *others = begun(budget, 4)
    clock.take(first, 0.01)
    budget.applied(read_at=clock.now_s)
    assert budget.due_in_s(first) == pytest.approx(0.04)
    for other in others:
        budget.end(other)
    assert budget.due_in_s(first) == pytest.approx(0.01)


def test_sweeps_that_are_dropped_do_not_count(clock: Clock) -> None:
    """A partition that is taken away does not say that its sweep has ended."""
    budget = MaintenanceBudget(0.5)
    first, *others = begun(budget, 4)
    clock.take(first, 0.01)
    budget.applied(read_at=clock.now_s)
    others.clear()
    assert budget.due_in_s(first) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("waited_s", "rest_s", "still_s"),
    [
        pytest.param(0.04, 0.1, -0.35, id="a record that waited a moment"),
        pytest.param(0.06, 1.5, 1.05, id="a record that is late"),
    ],
)
def test_sweeps_hold_back_where_records_are_late(
    clock: Clock, waited_s: float, rest_s: float, still_s: float
) -> None:
    """They get half of the time, and a sixteenth for half a second after a late record."""
    budget = MaintenanceBudget(0.5)
    (sweep,) = begun(budget, 1)
    clock.take(sweep, 0.1)
    budget.applied(read_at=clock.now_s - waited_s)
    assert budget.due_in_s(sweep) == pytest.approx(rest_s)
    clock.now_s += 0.45
    assert budget.due_in_s(sweep) == pytest.approx(still_s)
    clock.now_s += 0.1
    assert budget.due_in_s(sweep) == pytest.approx(-0.45)


@pytest.mark.parametrize(
    ("lists", "rest_s"),
    [
        pytest.param(0, 0.0, id="none"),
        pytest.param(100, 0.1, id="some"),
        pytest.param(101, 1.5, id="many"),
    ],
)
def test_sweeps_hold_back_while_lists_are_published(
    clock: Clock, lists: int, rest_s: float
) -> None:
    """After a backlog, the lists of what it changed come before the lists that follow from them."""
    budget = MaintenanceBudget(0.5)
    (sweep,) = begun(budget, 1)
    clock.take(sweep, 0.1)
    budget.published(lists)
    assert budget.due_in_s(sweep) == pytest.approx(rest_s)


@pytest.mark.parametrize(
    ("share", "rest_s", "late_s"), [(0.1, 0.9, 1.5), (0.01, 9.9, 9.9), (1.0, 0.0, 1.5)]
)
def test_the_operator_chooses_the_share(
    clock: Clock, share: float, rest_s: float, late_s: float
) -> None:
    """Late records get the larger part of what is left in any case."""
    budget = MaintenanceBudget(share)
    (sweep,) = begun(budget, 1)
    clock.take(sweep, 0.1)
    budget.applied(read_at=clock.now_s)
    assert budget.due_in_s(sweep) == pytest.approx(rest_s)
    budget.applied(read_at=clock.now_s - 1)
    assert budget.due_in_s(sweep) == pytest.approx(late_s)
