"""An audit counts an event if its record was late enough, whenever the audit runs."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from streamapp.audit.event_bounds import EventBounds
from streamapp.audit.log import LogInteractions, read_interactions
from streamapp.config.rules import event_rules
from streamapp.config.settings import Settings
from streamapp.eventlog import LoggedEvent

SETTINGS = Settings(_env_file=None)
RULES = event_rules(SETTINGS)
AT = 1_700_000_000.0
DAY = 86_400.0


def record(ts: float, at: float, item: str = "a") -> Any:
    """Return a record of an event; `at` is the time of the record."""
    value = {"user_id": "u", "item_id": item, "type": "view", "ts": ts}
    return SimpleNamespace(
        offset=0, timestamp=int(at * 1000), key=b"u", value=json.dumps(value).encode()
    )


def audited(now: float, records: list[Any], *events: tuple[str, float]) -> LogInteractions:
    """Return what an audit at some time counts of a file, with these records in Kafka."""
    bounds = EventBounds(RULES, now, lambda asking: asking.read("clicks", records))
    return read_interactions(
        [LoggedEvent("u", item, "click", ts) for item, ts in events],
        RULES, SETTINGS.event_weights, "clicks", 0.0, bounds=bounds,
    )  # fmt: skip


@pytest.mark.parametrize("now", [AT - 3 * DAY, AT, AT + 3 * DAY, AT + 400 * DAY])
def test_the_verdict_does_not_change_with_time(now: float) -> None:
    """An event ahead of its record stays refused; one that the clock is behind still counts."""
    records = [record(AT + DAY + 1, AT), record(AT + DAY, AT, "b"), record(AT, AT, "c")]
    events = ("a", AT + DAY + 1), ("b", AT + DAY), ("c", AT)
    log = audited(now, records, *events)
    assert (log.items, log.refused) == (["b", "c"], {"ts_out_of_range": 1})


def test_an_event_that_was_sent_again_in_time_counts() -> None:
    """As a worker counts it."""
    again = [record(AT + DAY + 1, AT), record(AT + DAY + 1, AT + DAY)]
    assert audited(AT, again, ("a", AT + DAY + 1)).items == ["a"]


def test_an_event_of_a_record_without_a_time_does_not_count() -> None:
    """A worker refuses it."""
    undated = record(AT, AT)
    undated.timestamp = -1
    assert audited(AT, [undated], ("a", AT)).refused == {"ts_out_of_range": 1}


def test_the_clock_decides_where_kafka_holds_no_record() -> None:
    """The record was sent before now."""
    log = audited(AT, [], ("a", AT + DAY), ("b", AT + DAY + 1))
    assert (log.items, log.refused) == (["a"], {"ts_out_of_range": 1})


def test_an_event_before_the_earliest_time_does_not_count() -> None:
    """Whatever its record says."""
    assert audited(AT, [record(9.0, AT)], ("a", 9.0)).refused == {"ts_out_of_range": 1}


def test_no_record_is_read_for_events_that_cannot_be_ahead() -> None:
    """Reading all records takes long."""

    def refuse(_: EventBounds) -> None:
        raise AssertionError

    bounds = EventBounds(RULES, AT, refuse)
    log = read_interactions(
        [LoggedEvent("u", "a", "click", AT)], RULES, SETTINGS.event_weights, "clicks", AT,
        bounds=bounds,
    )  # fmt: skip
    assert log.items == ["a"]
