"""A replay counts what it sends and what stays, and sends no copy."""

from streamapp.deadletters.replay_outcome import ReplayOutcome
from streamapp.deadletters.replay_rule import Objection
from tests.unit.deadletters.letters import letters_of

FIRST, SECOND = letters_of([1, 2])


def test_the_copy_of_a_worker_that_died_is_not_sent() -> None:
    """Another part of the same record is no copy, and neither is the same part elsewhere."""
    outcome = ReplayOutcome()
    elsewhere = FIRST._replace(source_offset=8)
    copy = FIRST._replace(offset=9)
    assert [outcome.add(one, None) for one in (FIRST, SECOND, elsewhere, copy)] == [
        True, True, True, False,
    ]  # fmt: skip
    assert outcome.records == {("clicks", "not_an_event", 1): 3}
    assert [(name, one.example) for name, one in outcome.reasons.items()] == [
        ("copy", "clicks.dlq:1:9")
    ]


def test_a_letter_that_stays_does_not_make_its_copy_one() -> None:
    """Both stay for the reason of the first."""
    outcome = ReplayOutcome()
    cut = Objection("cut", "it was cut")
    assert not outcome.add(FIRST, cut)
    assert not outcome.add(FIRST._replace(offset=9, made_ms=5), cut)
    assert (outcome.sent, outcome.kept) == (0, 2)
    assert [(one.letters, one.example) for one in outcome.reasons.values()] == [
        (2, "clicks.dlq:1:0")
    ]
    assert (outcome.last, outcome.newest_ms) == ("clicks.dlq:1:9", FIRST.made_ms)
