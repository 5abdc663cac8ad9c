"""Says that the times of records lie far from the worker's clock."""

import logging
import math
import time
from collections.abc import Mapping, Sequence

from streamapp.transport.records import TP, RecordBatch

logger = logging.getLogger(__name__)

_FAR_S = 300.0
"""A difference of more seconds is said. Kafka itself accepts an hour ahead."""

_SILENCE_S = 600.0
"""Seconds between two lines."""


class ClockWatch:
    """Compares the time of the last record of a read with the clock at that moment.

    No result depends on the worker's clock, so a wrong clock of a tracker, of a broker or of the
    worker shows nowhere else. Records that waited for the worker are older than its clock, so they
    are left out.

    Args:
        ends: The offset behind the last record of each partition when it was opened.
    """

    def __init__(self, ends: Mapping[TP, int]) -> None:
        self._ends = ends
        self._silent_until = -math.inf

    def see(self, batches: Sequence[RecordBatch]) -> None:
        """Write a line if the last record is far from the clock, unless one was written lately."""
        batch = batches[-1]
        last, now = batch.records[-1], time.monotonic()
        if last.timestamp < 0 or now < self._silent_until:
            return
        ahead_s = last.timestamp / 1000 - (time.time() - (now - batch.read_at))
        is_live = not batch.backlog and last.offset >= self._ends.get(batch.tp, 0)
        if ahead_s > _FAR_S or (is_live and ahead_s < -_FAR_S):
            self._silent_until = now + _SILENCE_S
            logger.warning(
                "%s[%d]: a new record is dated %d s %s the clock of this worker; check the clocks "
                "of this machine, of the brokers and of the trackers",
                batch.tp.topic, batch.tp.partition,
                abs(ahead_s), "ahead of" if ahead_s > 0 else "behind",
            )  # fmt: skip
