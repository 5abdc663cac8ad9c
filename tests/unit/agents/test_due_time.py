"""A due time says when a job runs next."""

from types import SimpleNamespace

import pytest

from streamapp.agents.scheduling import due_time as module
from streamapp.agents.scheduling.due_time import NEVER, DueTime


def test_a_job_is_due_after_its_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never before, and from then on until it is restarted."""
    now_s = [50.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    assert DueTime().is_due
    due = DueTime(2.0)
    assert (due.is_due, due.due_in_s) == (False, 2.0)
    now_s[0] = 52.0
    assert (due.is_due, due.due_in_s) == (True, 0.0)
    now_s[0] = 60.0
    assert (due.is_due, due.due_in_s) == (True, 0.0)
    due.restart(1.5)
    assert (due.is_due, due.due_in_s) == (False, 1.5)


def test_a_due_time_may_be_never() -> None:
    """A job that has nothing to do is never due."""
    due = DueTime(NEVER)
    assert (due.is_due, due.due_in_s) == (False, NEVER)
