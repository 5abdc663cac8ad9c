"""Which events of a log file were too far ahead of their records.

A worker compares the time of an event with that of its record. A file does not say when its events
were sent. So the records that Kafka holds are asked, if an event may have been too far ahead.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from streamapp.core.events.event_reader import EventReader
from streamapp.core.events.record import Record
from streamapp.core.events.rules import EventRules
from streamapp.core.events.values.timestamps import newest_allowed


class LoggedInteraction(NamedTuple):
    """What identifies an interaction in a file and in a record."""

    user: str
    item: str
    type: str
    ts: float


@dataclass(slots=True)
class _Dated:
    """A record without a time, with the time 0, so that its events are read."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Any]


class EventBounds:
    """Judges interactions by the records that hold them; it is an `InteractionSink` of these.

    Args:
        rules: How the app reads events.
        now_ts: The time of now in seconds. It decides where Kafka no longer holds a record.
        load: Called with this before the first judgement, to `read` all records.
    """

    def __init__(
        self, rules: EventRules, now_ts: float, load: Callable[["EventBounds"], None]
    ) -> None:
        self._rules = replace(rules, check_keys=False, max_ahead_s=math.inf)
        self._max_ahead_s = rules.max_ahead_s
        self._newest_now = now_ts + rules.max_ahead_s
        self._load: Callable[[EventBounds], None] | None = load
        self._readers: dict[str, EventReader] = {}
        self._refused: set[LoggedInteraction] = set()
        self._early: set[LoggedInteraction] = set()
        self._newest_allowed = 0.0

    def allow(self, interaction: LoggedInteraction) -> bool:
        """Say whether an interaction of a file was not too far ahead of its record."""
        if self._load is not None:
            load, self._load = self._load, None
            load(self)
        if interaction in self._refused:
            return False
        return interaction.ts <= self._newest_now or interaction in self._early

    def read(self, topic: str, records: Iterable[Record]) -> None:
        """Learn from records of a topic which events were refused.

        Cost: that of reading them once more; memory for the events that were refused.
        """
        if topic not in self._readers:
            self._readers[topic] = EventReader(self._rules, topic)
        for record in records:
            self._newest_allowed = newest_allowed(record.timestamp, self._max_ahead_s)
            self._readers[topic].read([_dated(record)], self)

    def add(
        self, offset: int, user: str, item: str, event_type: str, ts: float, order: float = 0.0
    ) -> None:
        """Judge an interaction of a record; one that is sent again later may count then."""
        interaction = LoggedInteraction(user, item, event_type, ts)
        if ts > self._newest_allowed:
            self._refused.add(interaction)
            return
        if self._refused:
            self._refused.discard(interaction)
        if ts > self._newest_now:
            self._early.add(interaction)

    def leave(self, offset: int, user: str, into: str, logged_ms: int) -> None:
        """Pass an event that ends a history: it has no time of its own."""

    def skip(self, offset: int, user: str, event_type: str) -> None:
        """Pass an event of an unknown type."""


def _dated(record: Record) -> Record:
    if record.timestamp >= 0:
        return record
    headers = getattr(record, "headers", ())
    return _Dated(record.offset, 0, record.key, record.value, headers)
