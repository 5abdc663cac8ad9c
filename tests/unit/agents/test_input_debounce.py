"""A pass over derived data begins when its inputs stop changing, or after a long wait."""

import pytest

from streamapp.agents.scheduling.input_debounce import InputDebounce

INTERVAL_S = 6.0


@pytest.fixture
def debounce() -> InputDebounce:
    """A debounce that was made at the time 100."""
    return InputDebounce(INTERVAL_S, 100.0)


def test_a_pass_begins_when_two_polls_find_the_same_version(debounce: InputDebounce) -> None:
    """The poll that finds a new version begins none."""
    assert debounce.poll_s == pytest.approx(2.0)
    assert not debounce.ready("a", 102.0)
    assert (debounce.is_idle, debounce.changed_at) == (False, 102.0)
    assert debounce.ready("a", 104.0)
    assert (debounce.is_idle, debounce.changed_at) == (True, 102.0)
    assert not debounce.ready("b", 106.0)
    assert debounce.changed_at == pytest.approx(106.0)


def test_a_version_that_a_pass_dealt_with_needs_no_other_pass(debounce: InputDebounce) -> None:
    """However long ago that was; the next version does."""
    debounce.finish("a")
    for now_s in (102.0, 104.0, 1_000.0):
        assert not debounce.ready("a", now_s)
    debounce.ready("b", 1_002.0)
    assert debounce.ready("b", 1_004.0)


def test_a_caller_that_is_not_idle_itself_waits(debounce: InputDebounce) -> None:
    """Until its patience ends."""
    debounce.ready("a", 102.0)
    assert not debounce.ready("a", 104.0, quiet=False)
    assert debounce.ready("a", 100.0 + 10 * INTERVAL_S, quiet=False)


@pytest.mark.parametrize(("urgent", "patience_s"), [(False, 60.0), (True, 6.0)])
def test_inputs_that_change_all_the_time_are_waited_for_so_long(
    debounce: InputDebounce, urgent: bool, patience_s: float
) -> None:
    """Ten intervals after the last pass ran, or one if the next is urgent."""
    debounce.ran(200.0)
    assert not debounce.ready("a", 199.0 + patience_s, urgent=urgent)
    assert debounce.ready("b", 200.0 + patience_s, urgent=urgent)


def test_polls_are_slower_while_no_pass_has_anything_to_do(debounce: InputDebounce) -> None:
    """The poll that finds a change, and the one that confirms it, take one interval together."""
    assert debounce.idle_poll_s + debounce.poll_s == pytest.approx(INTERVAL_S)
    debounce.ready("a", 102.0)
    assert not debounce.is_finished("a")
    debounce.finish("a")
    assert debounce.is_finished("a")
    assert not debounce.is_finished("b")
