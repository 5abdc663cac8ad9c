"""Chaos. The journal: what was done to whom, and when."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple


class Entry(NamedTuple):
    """Something that happened.

    Attributes:
        at_s: Seconds since the first event.
        who: Whom it befell.
        what: What it was.
    """

    at_s: float
    who: str
    what: str


@dataclass
class Journal:
    """What happened in a run.

    Attributes:
        tell: Told every entry at once.
        entries: All of them, in order.
        counts: How often things of a kind happened.
        surprises: What no fault explains; each fails the run.
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
        """The first event is now."""
        self._began_at = time.monotonic()

    def note(self, who: str, what: str) -> None:
        """Note that something happened."""
        entry = Entry(self.now_s, who, what)
        self.entries.append(entry)
        self.tell(entry)

    def surprise(self, who: str, what: str) -> None:
        """Note what should not have happened."""
        self.surprises.append(f"{self.now_s:.1f} s, {who}: {what}")
        self.note(who, f"SURPRISE: {what}")
