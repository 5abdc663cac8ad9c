"""Reads values as one record of a topic, and remembers the interactions."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from streamapp.core.events.event_reader import EventReader
from streamapp.core.events.projection import Projection
from streamapp.core.events.refusals import Refusal
from streamapp.core.events.rules import EventRules

NOW = 1_700_000_000.0
TOPIC = "events"
RULES = EventRules(
    types={
        "click": "click",
        "view": "click",
        "add_to_cart": "add_to_cart",
        "purchase": "purchase",
        "refund": "refund",
        "remove_from_cart": "remove_from_cart",
    },
    implied={"clicks": "click"},
    earliest_ts=631_152_000.0,
    max_ahead_s=86_400.0,
    max_record_bytes=1_048_576,
    check_keys=False,
)


@dataclass
class Record:
    """A record as Kafka hands it over."""

    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    key: bytes | None = None
    offset: int = 7
    timestamp: int = 1_700_000_000_500


class Interaction(NamedTuple):
    """An interaction that was counted."""

    user: str
    item: str
    type: str
    ts: float


@dataclass
class Said:
    """The outcome of one record."""

    taken: list[Interaction] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def codes(self) -> list[str]:
        """One refusal and its reason."""
        return [refusal.code for refusal in self.refusals]

    def add(
        self, offset: int, user: str, item: str, kind: str, ts: float, order: float = 0.0
    ) -> None:
        """Take an interaction."""
        self.taken.append(Interaction(user, item, kind, ts))

    def leave(self, offset: int, user: str, into: str, logged_ms: int) -> None:
        """Take an event that ends a history; no test here sends one."""
        raise AssertionError(user)

    def skip(self, offset: int, user: str, kind: str) -> None:
        """Take an event of an unknown type."""
        self.skipped.append(kind)


def encoded(value: Any) -> bytes:
    """Return a value in the form of a record; other types than bytes are sent as JSON."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def said(
    value: Any,
    form: str = "flat",
    *,
    headers: Mapping[str, str] | None = None,
    projections: Sequence[tuple[Projection, Said]] = (),
    topic: str = TOPIC,
    **rules: Any,
) -> Said:
    """Return the outcome of a value on a topic of some format."""
    chosen = replace(RULES, formats={topic: form}, **rules)
    record = Record(
        encoded(value), [(name, text.encode()) for name, text in (headers or {}).items()]
    )
    found = Said()
    reader = EventReader(chosen, topic)
    found.refusals = reader.read([record], found, projections)
    return found
