"""The journal of a run: which fault happened to which process, and when."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple


class Entry(NamedTuple):
    """One event in a run.

    Attributes:
        at_s: Seconds since the first event.
        who: The worker or server.
        what: What happened to it.
    """

    at_s: float
    who: str
    what: str


@dataclass
class Journal:
    """The events of a run.

    Attributes:
        tell: Called with every entry.
        entries: All of them, in order.
        counts: How often things of a kind happened.
        surprises: Events that no fault explains; each fails the run.
    """

    tell: Callable[[Entry], None]
    entries: list[Entry] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    surprises: list[str] = field(default_factory=list)
    _began_at: float = field(default_factory=time.monotonic)

    @property
    def now_s(self) -> float:
        """Seconds since the first event."""
        return time.monotonic() - self._began_at

    def begin(self) -> None:
        """Set the time of the first event."""
        self._began_at = time.monotonic()

    def note(self, who: str, what: str) -> None:
        """Record an event."""
        entry = Entry(self.now_s, who, what)
        self.entries.append(entry)
        self.tell(entry)

    def surprise(self, who: str, what: str) -> None:
        """Record a surprise."""
        self.surprises.append(f"{self.now_s:.1f} s, {who}: {what}")
        self.note(who, f"SURPRISE: {what}")
