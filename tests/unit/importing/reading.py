"""Reads the values of records as the app does, for comparison."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from streamapp.config.rules import event_rules
from streamapp.config.settings import Settings
from streamapp.core.events.event_reader import EventReader

NOW_S = 1_750_000_000.0
Interaction = tuple[str, str, str, float, float]


@dataclass
class Sent:
    """A record of the topic."""

    value: bytes | None
    key: bytes | None = None
    offset: int = 0
    timestamp: int = int(NOW_S * 1000)


class Interactions:
    """What the app makes of records.

    Attributes:
        found: The interactions in order.
        skipped: Events of types without a weight, by type.
        refused: Refusals by code.
    """

    def __init__(self, settings: Settings, values: Iterable[bytes]) -> None:
        self.found: list[Interaction] = []
        self.skipped: Counter[str] = Counter()
        self._reader = EventReader(event_rules(settings), "clicks")
        refusals = self._reader.read([Sent(value) for value in values], self)
        self.refused = Counter(refusal.code for refusal in refusals)

    def add(
        self, _: int, user: str, item: str, event_type: str, ts: float, order: float = 0.0
    ) -> None:
        """Take an interaction."""
        self.found.append((user, item, event_type, ts, order))

    def leave(self, offset: int, user: str, into: str, logged_ms: int) -> None:
        """Take an event that ends a history; the user who takes it over is its item."""
        self.add(offset, user, into, "merge" if into else "forget", -math.inf)

    def skip(self, _: int, _user: str, event_type: str) -> None:
        """Take an event of a type without a weight."""
        self.skipped[event_type] += 1


def settings() -> Settings:
    """Return settings with one topic that takes any key, without any `.env` file."""
    return Settings(_env_file=None, event_topics=("clicks",), topic_types={}, key_mismatch="accept")
