"""A timer says when a job is due."""

from types import SimpleNamespace

import pytest

from streamapp.agents.runtime import timer as module
from streamapp.agents.runtime.timer import NEVER, Timer


def test_a_job_is_due_after_its_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never before, and from then on until the timer is restarted."""
    now_s = [50.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    assert Timer().is_due
    timer = Timer(2.0)
    assert (timer.is_due, timer.due_in_s) == (False, 2.0)
    now_s[0] = 52.0
    assert (timer.is_due, timer.due_in_s) == (True, 0.0)
    now_s[0] = 60.0
    assert (timer.is_due, timer.due_in_s) == (True, 0.0)
    timer.restart(1.5)
    assert (timer.is_due, timer.due_in_s) == (False, 1.5)


def test_a_timer_may_stop() -> None:
    """A job that has nothing to do is due never."""
    timer = Timer(NEVER)
    assert (timer.is_due, timer.due_in_s) == (False, NEVER)
