"""Repeated log lines of a library appear now and then with a count; all others appear at once."""

import logging
from collections.abc import Iterator

import pytest

from streamapp.worker import log_dedup
from streamapp.worker.log_dedup import deduplicate_logs


class Clock:
    """Time that passes when the test says so."""

    now = 5.0

    def monotonic(self) -> float:
        """Return seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock in use."""
    made = Clock()
    monkeypatch.setattr(log_dedup, "time", made)
    return made


class Heard(logging.Handler):
    """The records at the root logger."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.records.append(record)


@pytest.fixture
def heard() -> Iterator[list[logging.LogRecord]]:
    """The records at the root logger; pytest itself listens as well if none are passed on."""
    handler = Heard()
    logging.root.addHandler(handler)
    yield handler.records
    logging.root.removeHandler(handler)


@pytest.fixture
def library() -> Iterator[logging.Logger]:
    """A logger below a deduplicated one, twice, as in an app that is started again."""
    top = logging.getLogger("it-library")
    deduplicate_logs(top.name)
    deduplicate_logs(top.name)
    yield logging.getLogger("it-library.client")
    top.propagate = True
    top.handlers.clear()


def test_a_message_is_said_once_in_ten_seconds_and_then_with_how_many_were_suppressed(
    clock: Clock, library: logging.Logger, heard: list[logging.LogRecord]
) -> None:
    """A storm of an hour is a line in ten seconds, and the next storm begins at once."""
    for _ in range(3):
        library.error("node %d is away: %s%%", 1, "5")
    clock.now += 9.9
    library.error("node 1 is away: 5%")
    clock.now += 0.2
    library.error("node %d is away: %s%%", 1, "5")
    clock.now += 3600
    library.error("node %d is away: %s%%", 1, "5")
    assert [one.getMessage() for one in heard] == [
        "node 1 is away: 5%",
        "node 1 is away: 5% (3 more like it were left out)",
        "node 1 is away: 5%",
    ]


@pytest.mark.usefixtures("clock")
def test_nothing_that_is_said_once_is_suppressed(
    library: logging.Logger, heard: list[logging.LogRecord]
) -> None:
    """Another number, level, logger or exception, and debug records."""
    library.setLevel(logging.DEBUG)
    library.error("node %d is away", 1)
    library.error("node %d is away", 2)
    library.warning("node %d is away", 1)
    logging.getLogger("it-library").error("node %d is away", 1)
    for error in (ValueError(1), ValueError(2)):
        library.error("node %d is away", 1, exc_info=error)
    library.info("node %d is away", 1)
    for _ in range(2):
        library.debug("node %d is away", 1)
    assert len(heard) == 9
    assert heard[4].exc_info is not None


@pytest.fixture
def sparing(library: logging.Logger) -> log_dedup._Deduplicator:
    """The filter of that logger."""
    handlers = library.parent.handlers if library.parent else []
    (found,) = (one for one in handlers if isinstance(one, log_dedup._Deduplicator))
    return found


def test_what_was_said_is_forgotten(
    clock: Clock, library: logging.Logger, sparing: log_dedup._Deduplicator
) -> None:
    """Messages that never come again take no memory forever."""
    for number in range(1_000):
        library.error("offset %d", number)
        clock.now += 1
    assert len(sparing._said) <= 21


def test_a_message_with_wrong_arguments_ends_nothing(
    sparing: log_dedup._Deduplicator, capsys: pytest.CaptureFixture[str]
) -> None:
    """As elsewhere in logging, the line names the place of the call."""
    wrong = {"levelno": logging.ERROR, "msg": "node %d is away", "args": ("one",)}
    sparing.handle(logging.makeLogRecord(wrong))
    assert "--- Logging error ---" in capsys.readouterr().err
