"""A rebuild is refused beside workers, and where Kafka lacks what the state has applied."""

from dataclasses import replace

import pytest

from streamapp.cli.rebuild_plan import RebuildPlan, records_lost
from streamapp.errors import StreamappError
from streamapp.store.slot.head import Head
from streamapp.transport.records import Offsets

PLAN = RebuildPlan((), 12, 3, ("recs:v1:trending:tents",), 900, 800, {})


@pytest.mark.parametrize(
    ("begun", "position", "beginning", "end", "lost"),
    [
        pytest.param(0, 7, 0, 9, 0, id="all are there"),
        pytest.param(0, 9, 0, 9, 0, id="all are there and applied"),
        pytest.param(0, 7, 4, 9, 4, id="the topic begins later"),
        pytest.param(0, 4, 7, 9, 4, id="what was never applied is not lost"),
        pytest.param(4, 7, 4, 9, 0, id="they were gone when the state began"),
        pytest.param(4, 9, 7, 9, 3, id="more are gone than when the state began"),
        pytest.param(0, 9, 0, 2, 7, id="the topic was made again"),
        pytest.param(0, 9, 0, 0, 9, id="the topic was made again and is empty"),
        pytest.param(6, 9, 0, 2, 3, id="the topic was made again after the state began"),
        pytest.param(0, 0, 0, 0, 0, id="nothing ever came"),
    ],
)
def test_lost_is_what_was_applied_and_is_no_longer_held(
    begun: int, position: int, beginning: int, end: int, lost: int
) -> None:
    """Counted in offsets, from the first one that the slot counts."""
    head = Head(position=position, begun=begun)
    assert records_lost(head, Offsets(beginning, end, None)) == lost


def test_a_slot_that_cannot_be_read_may_have_applied_everything() -> None:
    """So what the topic no longer holds is lost, and nothing is while it begins at 0."""
    assert records_lost(None, Offsets(5, 9, None)) == 5
    assert records_lost(None, Offsets(0, 9, None)) == 0


def test_live_workers_are_named_and_what_to_do() -> None:
    """Also if the loss is accepted."""
    plan = replace(PLAN, live_workers=("a at 10.0.0.1", "b at 10.0.0.2"))
    with pytest.raises(StreamappError) as caught:
        plan.check(accept_loss=True)
    said = str(caught.value)
    assert said.startswith("workers live: a at 10.0.0.1, b at 10.0.0.2; stop them")
    assert "SESSION_TIMEOUT" in said
    assert "\n" not in said


def test_a_loss_is_named_by_topic_and_has_to_be_accepted() -> None:
    """Without a loss there is nothing to accept."""
    plan = replace(PLAN, records_lost={"clicks": 1_200, "purchases": 3})
    with pytest.raises(StreamappError) as caught:
        plan.check(accept_loss=False)
    said = str(caught.value)
    assert "no longer holds 1,200 records of clicks, 3 records of purchases that" in said
    assert said.endswith("repeat with --accept-loss to give them up")
    plan.check(accept_loss=True)
    PLAN.check(accept_loss=False)


def test_the_report_has_a_number_for_each_thing() -> None:
    """And the names of workers and topics."""
    lossy = replace(PLAN, live_workers=("a at 10.0.0.1",), records_lost={"clicks": 4})
    assert lossy.report() == {
        "live_workers": ["a at 10.0.0.1"],
        "state_keys_to_remove": 12,
        "other_keys_that_stay": 3,
        "lists_to_remove": 1,
        "applied_events": 900,
        "records_to_count": 800,
        "records_lost": {"clicks": 4},
    }
