"""A lap: the time of a rival from its first batch to its last, printed as JSON."""

import os
import time
from typing import Any

import orjson

from loadtest.bench.program import say


class Lap:
    """Starts with the first batch, so that joining the group and fetching it cost nothing.

    A rival that has done its work before it gets a batch leaves the first one out of the count.

    Attributes:
        seen: Events so far.
    """

    def __init__(self, expected: int) -> None:
        """Make it for this many events."""
        self.seen = 0
        self._expected = expected
        self._began_s = 0.0
        self._cpu_s = 0.0
        self._before = 0

    def begin(self, before: int = 0) -> None:
        """Start the clock, if it does not run; `before` events were done before it did."""
        if not self._began_s:
            self._before = before
            self._began_s, self._cpu_s = time.monotonic(), time.process_time()

    def count(self, events: int) -> bool:
        """Count finished events; return whether all are finished."""
        self.seen += events
        return self.seen >= self._expected

    def finish(self, **more: Any) -> None:
        """Print the result and end the process: a framework need not stop in order."""
        elapsed_s = time.monotonic() - self._began_s
        cpu_s = time.process_time() - self._cpu_s
        say({"events": self.seen - self._before, "elapsed_s": elapsed_s, "cpu_s": cpu_s, **more})
        os._exit(0)


def events_in(value: bytes) -> list[dict[str, Any]]:
    """Return the events of a record: one, or an array of them."""
    decoded = orjson.loads(value)
    return decoded if isinstance(decoded, list) else [decoded]
