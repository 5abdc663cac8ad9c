"""Reads a log before it is sent: counts its events, and refuses a log of which none would count."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from streamapp.config.rules import event_rules
from streamapp.config.settings import Settings
from streamapp.core.events.event_reader import EventReader
from streamapp.errors import BadEventError, StreamappError
from streamapp.eventlog import LoggedEvent
from streamapp.importing.router import Router
from streamapp.printable import visible

_SHOWN = 3
"""Reasons that a message names; the most frequent ones."""


@dataclass(slots=True)
class _Sent:
    """The record of an event that would be sent now."""

    timestamp: int = field(default_factory=lambda: int(time.time() * 1000))
    offset: int = 0
    key: bytes | None = None
    value: bytes | None = None


class _Verdict:
    """Takes the outcome of one event."""

    def __init__(self) -> None:
        self.counts = False
        self.unknown = ""

    def leave(self, *_: object) -> None:
        """Take an event that ends a history."""
        self.counts = True

    def add(self, *_: object) -> None:
        self.counts = True

    def skip(self, _offset: int, _user: str, event_type: str) -> None:
        self.unknown = event_type


def count_events(events: Iterable[LoggedEvent], router: Router, settings: Settings) -> int:
    """Return how many events there are.

    Events are judged until the first one counts. A topic that the app does not read says nothing
    about its events, which then pass.

    Raises:
        StreamappError: there are events, and the app would skip or refuse every one.

    Cost: that of reading; some 2 us more for each event before the first one that counts.
    """
    rules = replace(event_rules(settings), check_keys=False)
    read = set(settings.event_topics)
    readers = {topic: EventReader(rules, topic) for topic in router.topics if topic in read}
    record, reasons, total = _Sent(), Counter[str](), 0
    latest_ts = record.timestamp / 1000 + settings.max_ahead_s
    left = iter(events)
    for event in left:
        total += 1
        reader, verdict = readers.get(router.topic(event.type)), _Verdict()
        if reader is None:
            return total + sum(1 for _ in left)
        try:
            reader.take(event._asdict(), record, latest_ts, verdict)
        except BadEventError as refusal:
            reasons[f"refused, {refusal.code}"] += 1
            continue
        if verdict.counts:
            return total + sum(1 for _ in left)
        reasons[f"skipped, of unknown type {verdict.unknown!r}"] += 1
    if total:
        why = ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common(_SHOWN))
        more = ", and more" if len(reasons) > _SHOWN else ""
        raise StreamappError(
            visible(f"nothing was sent: none of the {total:,} events would count ({why}{more})")
        )
    return 0
