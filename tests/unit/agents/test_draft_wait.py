"""A draft of interaction batches waits while the worker has other work to do."""

from streamapp.agents.delivery.own_messages import OwnMessages
from streamapp.agents.intake.draft_wait import DraftWait
from streamapp.transport.records import TP

HERE = TP("interactions", 0)


def test_a_draft_of_an_idle_worker_is_sent_at_once() -> None:
    """Nothing more is to come, and nothing is to be applied."""
    wait = DraftWait(4, OwnMessages())
    wait.end_read(1, backlog=0)
    assert wait.left_s == 0


def test_a_draft_waits_until_the_worker_has_applied_what_it_sent() -> None:
    """What comes in meanwhile goes into the same draft."""
    messages = OwnMessages()
    messages.own({HERE: 0})
    wait = DraftWait(4, messages)
    messages.sent({HERE: 1})
    wait.end_read(1, backlog=0)
    assert 0 < wait.left_s <= 2
    messages.applied(HERE, 1)
    assert wait.left_s == 0


def test_a_draft_waits_for_records_that_are_far_behind() -> None:
    """However idle the worker is: fewer and larger batches cost less."""
    wait = DraftWait(4, OwnMessages())
    wait.end_read(1, backlog=2_001)
    assert 0 < wait.left_s <= 2
    wait.end_read(10_000, backlog=2_500)
    assert wait.left_s == 0
