"""A pass over derived data begins when its inputs stop changing, or after a long wait."""

import pytest

from streamapp.agents.runtime.idle_trigger import IdleTrigger

INTERVAL_S = 6.0


@pytest.fixture
def trigger() -> IdleTrigger:
    """A trigger that was made at the time 100."""
    return IdleTrigger(INTERVAL_S, 100.0)


def test_a_pass_begins_when_two_polls_find_the_same_version(trigger: IdleTrigger) -> None:
    """The poll that finds a new version begins none."""
    assert trigger.poll_s == pytest.approx(2.0)
    assert not trigger.ready("a", 102.0)
    assert (trigger.is_idle, trigger.changed_at) == (False, 102.0)
    assert trigger.ready("a", 104.0)
    assert (trigger.is_idle, trigger.changed_at) == (True, 102.0)
    assert not trigger.ready("b", 106.0)
    assert trigger.changed_at == pytest.approx(106.0)


def test_a_version_that_a_pass_dealt_with_needs_no_other_pass(trigger: IdleTrigger) -> None:
    """However long ago that was; the next version does."""
    trigger.finish("a")
    for now_s in (102.0, 104.0, 1_000.0):
        assert not trigger.ready("a", now_s)
    trigger.ready("b", 1_002.0)
    assert trigger.ready("b", 1_004.0)


def test_a_caller_that_is_not_idle_itself_waits(trigger: IdleTrigger) -> None:
    """Until its patience ends."""
    trigger.ready("a", 102.0)
    assert not trigger.ready("a", 104.0, quiet=False)
    assert trigger.ready("a", 100.0 + 10 * INTERVAL_S, quiet=False)


@pytest.mark.parametrize(("urgent", "patience_s"), [(False, 60.0), (True, 6.0)])
def test_inputs_that_change_all_the_time_are_waited_for_so_long(
    trigger: IdleTrigger, urgent: bool, patience_s: float
) -> None:
    """Ten intervals after the last pass ran, or one if the next is urgent."""
    trigger.ran(200.0)
    assert not trigger.ready("a", 199.0 + patience_s, urgent=urgent)
    assert trigger.ready("b", 200.0 + patience_s, urgent=urgent)


def test_polls_are_slower_while_no_pass_has_anything_to_do(trigger: IdleTrigger) -> None:
    """The poll that finds a change, and the one that confirms it, take one interval together."""
    assert trigger.idle_poll_s + trigger.poll_s == pytest.approx(INTERVAL_S)
    trigger.ready("a", 102.0)
    assert not trigger.is_finished("a")
    trigger.finish("a")
    assert trigger.is_finished("a")
    assert not trigger.is_finished("b")
