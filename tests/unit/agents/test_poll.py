"""Jobs poll at the same moments, and seldom while nothing changes."""

from types import SimpleNamespace
from unittest.mock import AsyncMock

import pytest

from streamapp.agents.polling import poll as module
from streamapp.agents.polling.poll import Poll
from streamapp.agents.polling.shard_heads import ShardHeads


class Clock:
    """A monotonic clock that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock at 100 seconds."""
    return Clock(monkeypatch)


@pytest.fixture
def heads() -> ShardHeads:
    """Heads that nobody reads."""
    return ShardHeads(AsyncMock())


@pytest.mark.usefixtures("clock")
def test_the_first_poll_is_due_at_once(heads: ShardHeads) -> None:
    """The job knows nothing yet."""
    assert Poll(heads, 2.0, 4.0).due_in_s == pytest.approx(0.0)


@pytest.mark.parametrize("began_at", [100.0, 101.1, 103.999, 104.0, 105.5])
def test_jobs_that_began_at_other_times_poll_at_the_same_time(
    clock: Clock, heads: ShardHeads, began_at: float
) -> None:
    """At multiples of the interval, which is never exceeded."""
    poll = Poll(heads, 1.0, 4.0)
    clock.now = began_at
    poll.begin()
    poll.end(idle=True)
    due: list[float] = []
    while len(due) < 3:
        if (wait_s := poll.due_in_s) > 0:
            assert wait_s <= 1.5
            clock.now += wait_s
            continue
        due.append(clock.now)
        poll.begin()
        clock.now += 0.01
        poll.end(idle=True)
    assert due == pytest.approx([104.0, 108.0, 112.0] if began_at < 104 else [108.0, 112.0, 116.0])


def test_a_change_by_this_worker_makes_a_poll_due_soon(clock: Clock, heads: ShardHeads) -> None:
    """Not before the next moment at which all jobs look."""
    poll = Poll(heads, 1.0, 8.0)
    poll.begin()
    poll.end(idle=True)
    assert poll.due_in_s == pytest.approx(1.0)
    heads.changed()
    clock.now = 100.5
    assert poll.due_in_s == pytest.approx(0.5)
    clock.now = 101.0
    assert poll.due_in_s == pytest.approx(0.0)
    poll.begin()
    poll.end(idle=True)
    clock.now = 102.0
    assert poll.due_in_s == pytest.approx(1.0)


def test_a_change_during_a_poll_needs_another_one(clock: Clock, heads: ShardHeads) -> None:
    """The poll may have read before the change."""
    poll = Poll(heads, 1.0, 8.0)
    poll.begin()
    heads.changed()
    poll.end(idle=True)
    clock.now = 101.0
    assert poll.due_in_s == pytest.approx(0.0)


def test_two_polls_are_half_an_interval_apart(clock: Clock, heads: ShardHeads) -> None:
    """Two polls that find the same say that nothing changes; so they must not be one moment."""
    poll = Poll(heads, 1.0, 8.0)
    clock.now = 100.8
    poll.begin()
    poll.end(idle=True)
    assert poll.due_in_s == pytest.approx(1.2)


def test_a_poll_that_is_asked_for_soon_is_due_soon(clock: Clock, heads: ShardHeads) -> None:
    """Without any change, because the job waits for changes to stop."""
    poll = Poll(heads, 1.0, 8.0)
    poll.begin()
    poll.end(idle=False)
    assert poll.due_in_s == pytest.approx(1.0)
    clock.now = 101.0
    assert poll.due_in_s == pytest.approx(0.0)
