"""When a job reads the version of its inputs again."""

import time

from streamapp.agents.polling.shard_heads import ShardHeads


class Poll:
    """Lets jobs poll at the same moments, and seldom while nothing changes.

    A job polls again soon after this worker changed a head. Changes by other workers are found by a
    poll every now and then. Both happen at multiples of their intervals on the monotonic clock, so
    that jobs share reads.

    Args:
        heads: Knows what this worker changed.
        soon_s: Seconds between polls while this worker changes heads, or the job waits.
        later_s: Most seconds between polls; >= soon_s.
    """

    def __init__(self, heads: ShardHeads, soon_s: float, later_s: float) -> None:
        self._heads = heads
        self._soon_s = soon_s
        self._later_s = later_s
        self._seen = heads.changes
        self._look_at = self._due_at = 0.0

    @property
    def due_in_s(self) -> float:
        """The seconds until it is known whether a poll is due; 0 if one is."""
        now = time.monotonic()
        if now >= self._look_at and now < self._due_at and self._heads.changes == self._seen:
            self._look_again(now)
        return max(0.0, self._look_at - now)

    def begin(self) -> None:
        """Note that a poll begins: what changes from here on needs another one."""
        self._seen = self._heads.changes

    def end(self, *, idle: bool) -> None:
        """Note that a poll has ended.

        Args:
            idle: Whether the job has nothing to do until something changes.
        """
        now, interval_s = time.monotonic(), self._later_s if idle else self._soon_s
        self._due_at = (now // interval_s + 1) * interval_s
        self._look_again(now)

    def _look_again(self, now: float) -> None:
        """Look for changes of this worker at the next moment that is not too soon."""
        self._look_at = min(self._due_at, round(now / self._soon_s + 1) * self._soon_s)
