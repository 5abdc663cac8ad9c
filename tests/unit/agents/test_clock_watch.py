"""A worker says so if the times of records lie far from its clock."""

import logging
import time
from types import SimpleNamespace

import pytest

from streamapp.agents.intake.clock_watch import ClockWatch
from streamapp.transport.records import TP, RecordBatch

HERE = TP("clicks", 0)


def batch(ahead_s: float, offset: int = 10, backlog: int = 0, waited_s: float = 0.0) -> RecordBatch:
    """Return a batch of one record, which was read some seconds ago."""
    at_ms = int((time.time() - waited_s + ahead_s) * 1000)
    record = SimpleNamespace(offset=offset, timestamp=at_ms, value=b"{}")
    return RecordBatch(HERE, [record], 1, backlog, time.monotonic() - waited_s)


def lines(caplog: pytest.LogCaptureFixture, *batches: RecordBatch) -> list[str]:
    """Return the lines about batches that come one after the other."""
    watch = ClockWatch({HERE: 10})
    with caplog.at_level(logging.WARNING):
        for one in batches:
            watch.see([one])
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(("ahead_s", "said"), [(400, "ahead of"), (-400, "behind")])
def test_a_clock_that_is_far_off_is_said_in_one_line(
    caplog: pytest.LogCaptureFixture, ahead_s: float, said: str
) -> None:
    """Once in a while, however many records come."""
    (line,) = lines(caplog, batch(0), batch(ahead_s), batch(ahead_s))
    assert line.startswith("clicks[0]: a new record is dated ")
    assert f" s {said} the clock of this worker" in line


@pytest.mark.parametrize(
    "late",
    [
        batch(-400, backlog=5),
        batch(-400, offset=9),
        batch(-200, waited_s=300),
        batch(200),
    ],
    ids=["behind others", "before the opening", "read long ago", "near"],
)
def test_records_that_waited_for_the_worker_say_nothing(
    caplog: pytest.LogCaptureFixture, late: RecordBatch
) -> None:
    """They are old whatever the clocks say."""
    assert lines(caplog, late) == []


def test_a_record_of_the_future_is_never_late(caplog: pytest.LogCaptureFixture) -> None:
    """Also one that waited."""
    assert len(lines(caplog, batch(400, offset=9, backlog=5))) == 1


def test_a_record_without_a_time_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Kafka says -1."""
    undated = batch(0)
    undated.records[0].timestamp = -1
    assert lines(caplog, undated) == []
